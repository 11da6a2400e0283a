"""Whether a store, a loader or an engine will refuse what an app ships: rules, one file for each family.

A family is a module with RULES. Nothing that is looked at is executed or unpacked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack
from pathlib import Path

from edgekit import extras, registry
from edgekit.data import nearest
from edgekit.errors import BundleError, UsageError
from edgekit.lint._artifact import Part, parts
from edgekit.lint._files import GIVE, opened
from edgekit.lint._formats import FORMATS
from edgekit.lint._report import SEVERITIES, Artifact, Finding, Lint
from edgekit.lint._rule import Rule

__all__ = ["FORMATS", "Finding", "Lint", "form_of", "lint", "render", "rules"]


def rules() -> dict[str, Rule]:
    """All rules by their name, family by family."""
    families = [registry.member("edgekit.lint", name).RULES for name in registry.members("edgekit.lint")]
    return {rule.name: rule for family in families for rule in family}


def lint(path: Path, accepted: Collection[str] = ()) -> Lint:
    """What is wrong with a bundle, a package, a framework, or a folder of some.

    Args:
        accepted: rules whose findings become notes.

    Raises:
        UsageError: no rule has an accepted name.
        BundleError: there is nothing to look at, or it cannot be read at all.
        ToolMissing: the extra is not installed.
    """
    extras.require("lint")
    for name in accepted:
        if name not in rules():
            raise UsageError(f"no rule is called {name!r}{nearest(name, rules())}", next="docs/lint.md has them all")
    with opened(path) as view, ExitStack() as stack:
        every = list(parts(view, stack, path.resolve().name))
        whole = [part for part in every if part.kind != "folder" or _holds(part)]
        if not whole:
            raise BundleError(f"{path} is empty", next=GIVE)
        for part in whole:
            part.whole = whole
        findings = [finding for part in whole for rule in rules().values() for finding in _findings(part, rule)]
    if accepted:
        noted = {"severity": "note"}
        findings = [each.model_copy(update=noted) if each.rule in accepted else each for each in findings]
    return Lint(
        subject=path.resolve().name,
        artifacts=tuple(Artifact(kind=part.kind, path=part.path) for part in whole),
        rules=tuple(name for name, rule in rules().items() if any(part.kind in rule.kinds for part in whole)),
        findings=tuple(sorted(findings, key=lambda each: (SEVERITIES.index(each.severity), each.rule, each.path))),
    )


def render(form: str, result: Lint) -> str:
    """The text of a file in one of FORMATS."""
    return FORMATS[form][1](result, rules())


def form_of(path: Path) -> str:
    """The format that a file's ending asks for.

    Raises:
        UsageError: none has it.
    """
    for form, (suffix, _) in FORMATS.items():
        if path.suffix.lower() == suffix:
            return form
    endings = ", ".join(suffix for suffix, _ in FORMATS.values())
    raise UsageError(f"{path.name} does not say its format", next=f"end it with {endings}, or give --format")


def _findings(part: Part, rule: Rule) -> Iterator[Finding]:
    for fault in rule.faults(part) if part.kind in rule.kinds else ():
        yield Finding(
            rule=rule.name,
            severity=fault.severity or rule.severity,
            path="/".join(filter(None, (part.path, fault.path))),
            message=fault.message,
            next=rule.next,
            source=rule.source,
        )


def _holds(part: Part) -> bool:
    """Whether there is anything in a folder besides the artifacts that lie in it."""
    return bool(part.files.entries or part.files.unsafe or part.unreadable)
