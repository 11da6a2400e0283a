"""Look for what a store, a loader or an engine will refuse: bundles, AARs, APKs, frameworks, folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from edgekit import console
from edgekit.commands._places import PLACE

if TYPE_CHECKING:
    from edgekit.lint import Lint

FORMATS = ("json", "junit", "sarif")


def _rule_names(ctx: click.Context, option: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from edgekit.lint import rules

    return [CompletionItem(name, help=rule.what) for name, rule in rules().items() if name.startswith(incomplete)]


@click.command()
@click.argument("subject", type=PLACE)
@click.option("--strict", is_flag=True, help="Warnings fail too.")
@click.option(
    "--accept",
    "accepted",
    multiple=True,
    metavar="RULE",
    shell_complete=_rule_names,
    help="Findings of this rule become notes; repeatable.",
)
@click.option("--format", "form", type=click.Choice(FORMATS), help="Write this instead of a table; by -o's ending.")
@click.option("-o", "--output", "out", type=PLACE, help="Where; - is stdout.")
def command(subject: Path, strict: bool, accepted: tuple[str, ...], form: str | None, out: Path | None) -> None:
    """Look at SUBJECT: a bundle, an .aar, .apk, .ipa, .xcframework, .framework or .app, or a folder with some of them.

    Nothing of it is executed or unpacked. Exit 9 where there is an error (with --strict, or a warning), 6 where it
    cannot be read. The rules, each with its source: docs/lint.md.
    """
    from edgekit import output
    from edgekit.data import jsonable
    from edgekit.errors import QualityError
    from edgekit.lint import form_of, lint, render

    form = form or (form_of(out) if out not in (None, output.STDOUT) else "json" if out else None)
    path = None if out == output.STDOUT else out
    if path is not None:
        output.check(path)
    result = lint(subject, accepted)
    wrong = result.count("error") + (result.count("warning") if strict else 0)
    error = None
    if wrong:
        error = QualityError(
            f"{result.subject}: {wrong} finding{'s' if wrong > 1 else ''} that would be refused",
            next="what to do stands with each rule; --accept RULE takes its findings for notes",
        )
    if form is not None and path is not None:
        output.write(path, render(form, result))
        console.say(f"{form} of {len(result.findings)} findings: {path}")
    if console.json_mode():
        console.document("edgekit.lint/1", jsonable(result), error=error)
    elif form is not None and path is None:
        console.page(render(form, result))
    else:
        _show(result)
    if error:
        raise error


def _show(result: Lint) -> None:
    from edgekit.lint import rules

    artifacts = ", ".join(f"{part.kind} {part.path or result.subject}" for part in result.artifacts[:8])
    more = f" and {len(result.artifacts) - 8} more" if len(result.artifacts) > 8 else ""
    console.out(f"{artifacts}{more}")
    rows = [
        [finding.severity, finding.rule, finding.path or result.subject, finding.message] for finding in result.findings
    ]
    if rows:
        console.table("", ["severity", "rule", "where", "what"], rows)
    for name in dict.fromkeys(finding.rule for finding in result.findings):
        console.out(f"{name}: {rules()[name].next}")
        console.out(f"  {rules()[name].source}")
    counts = ", ".join(f"{result.count(word)} {word}s" for word in ("error", "warning", "note"))
    console.out(f"{len(result.rules)} rules asked: {counts}")
