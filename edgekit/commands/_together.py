"""Options that say nothing together, or nothing alone: refused before anything is opened, with both by their names."""

from __future__ import annotations

import click
from click.core import ParameterSource

from edgekit import registry
from edgekit.errors import UsageError

# Of each command: what excludes what, and why. "--recipe auto" is an option with that value; PROMPT is an argument.
_WRITTEN = tuple(f"--format {name}" for name in registry.members("edgekit.report.formats") if name != "json")
ASKED = ("PROMPT", "--system", "--raw", "--no-think", "--adapter", "--max-tokens", "--temperature", "--top-k")
ANSWERED = ("--top-p", "--min-p", "--repetition-penalty", "--seed", "--stop", "--json-schema", "--tools", "--call")
TIMED = ("--budget", "--prompts", "--depths", "--sustain", "--meter", "--quick", "--strict", "--processes")
EXCLUSIVE: dict[str, tuple[tuple[str, tuple[str, ...], str], ...]] = {
    "build": (
        ("--recipe auto", ("--dry-run",), "it builds to find out, and has no plan to show"),
        ("--recipe auto", ("--quality off",), "it chooses by what the gate says"),
        ("--recipe auto", ("--size",), "it finds the size itself"),
        ("--quality off", ("--limit", "--text"), "nothing is judged"),
    ),
    "check": (
        ("--goldens-only", (*TIMED, "--ab", "--blocks"), "nothing is timed"),
        ("--ab", ("--sustain", "--processes", "--quick", "--budget", *_WRITTEN), "it gives ratios of two bundles"),
        ("--sustain", ("--processes", "--quick"), "it is one long run"),
        ("--quick", ("--meter",), "it is a few runs, and no power is measured"),
    ),
    "run": (
        ("--input", (*ASKED, *ANSWERED), "it is for tensors, and that for language models"),
        ("--raw", ("--system", "--no-think", "--tools"), "it leaves out the chat template, which that goes through"),
    ),
    "cache prune": (("--all", ("--older-than", "--max-size"), "it removes everything"),),
}
# Of each command: what says something only beside another, and what that is for.
NEEDED: dict[str, tuple[tuple[str, str, str], ...]] = {
    "build": (
        ("--merge-adapter", "--adapter", "which it puts into the weights"),
        ("--own-inputs", "--calibration", "whose data it ships"),
        ("--labels", "--calibration", "whose data they describe"),
    ),
    "check": (("--blocks", "--ab", "which is measured in blocks"),),
    "quality": (("--labels", "--calibration", "whose data they describe"),),
    "run": (
        ("--call", "--tools", "which describes what it runs"),
        ("--call-timeout", "--call", "which it limits"),
        ("--tool-choice", "--tools", "of which it chooses"),
    ),
}


def check(ctx: click.Context) -> None:
    """Refuse what the command line of `ctx` has together, or alone, to no purpose.

    Raises:
        UsageError: two options of EXCLUSIVE, or one of NEEDED without the other.
    """
    name = ctx.command_path.partition(" ")[2]
    for word, others, why in EXCLUSIVE.get(name, ()):
        for other in others:
            if _given(ctx, word) and _given(ctx, other):
                raise UsageError(f"{word} and {other} exclude each other: {why}", next="leave one of them out")
    for word, other, why in NEEDED.get(name, ()):
        if _given(ctx, word) and not _given(ctx, other):
            raise UsageError(f"{word} says nothing without {other}, {why}", next=f"give {other} too, or leave it out")


def _given(ctx: click.Context, word: str) -> bool:
    """Whether a word of the tables stands in the command line; `--processes 1` says what is so anyhow."""
    option, _, value = word.partition(" ")
    for parameter in ctx.command.params:
        if option in parameter.opts or option == (parameter.name or "").upper():
            told = ctx.params.get(parameter.name or "")
            source = ctx.get_parameter_source(parameter.name or "")
            if source in (None, ParameterSource.DEFAULT) or told == parameter.get_default(ctx):
                return False
            return not value or told == value
    return False
