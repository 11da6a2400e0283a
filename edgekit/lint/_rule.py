"""What a rule is: a question to one artifact, with its reason, its public source and its way out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edgekit.lint._artifact import Part
from edgekit.lint._report import Kind, Severity


@dataclass(frozen=True)
class Fault:
    """What is wrong in one place of an artifact: a path in it, and one line."""

    path: str
    message: str
    severity: Severity | None = None  # where this one is not as grave as its rule


@dataclass(frozen=True)
class Rule:
    """A rule of a store, of a platform's loader, or of the engines.

    Attributes:
        name: "android-16k-load"; stable, for who keeps a list of what is accepted.
        what: the fault, in a few words.
        next: what to do about it.
        source: the address where it can be read.
        kinds: the artifacts that are asked.
        faults: those of one artifact.
    """

    name: str
    severity: Severity
    what: str
    next: str
    source: str
    kinds: tuple[Kind, ...]
    faults: Callable[[Part], Iterable[Fault]]
