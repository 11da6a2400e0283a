"""Quantization recipes, one file each: what Olive should do, as plain dicts.

A recipe module has KIND ("llm" or "tensor"), PRECISION, SUMMARY, CALIBRATED (needs calibration data) and
`passes(model, settings) -> list[dict]`; one that leaves other files than its form's usual ones also has
`files(model, settings) -> tuple[str, ...]`, one that `--recipe auto` tries has RUNGS, one that is good for some models
alone has `suits(model) -> tuple[bool, str]`, with why. One from outside the package is the path of such a .py file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from edgekit import kinds, registry
from edgekit.data import nearest
from edgekit.errors import UsageError
from edgekit.kinds import Settings
from edgekit.model import Kind, Model
from edgekit.recipes._own import with_neighbours

# Asked for by name and not to be had: why, and what to take instead.
UNAVAILABLE = {
    "int4_awq": (
        "Olive drives AutoAWQ for it, whose last release (0.2.9, May 2025) ends at transformers 4.51",
        "int4_gptq or int4_gptq_mixed, which are calibrated on text too",
    )
}

Passes = Callable[[Model, Settings], list[dict[str, Any]]]
Files = Callable[[Model, Settings], tuple[str, ...]]
Suits = Callable[[Model], tuple[bool, str]]


@dataclass(frozen=True)
class Recipe:
    """A loaded recipe; sha256 is of its source, so that a changed recipe never meets an old cache entry.

    files: the names of what it leaves; None for the usual ones of the model's form.
    suits: whether it is any good for a model, and why; asked where nobody chose it for this one.
    rungs: its places on the ladder of `--recipe auto`, each with settings that it has there.
    """

    name: str
    kind: Kind
    precision: str
    summary: str
    calibrated: bool
    sha256: str
    passes: Passes
    files: Files | None = None
    suits: Suits = lambda model: (True, "")
    rungs: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Candidate:
    """A recipe with settings of its own; a mixed recipe stands on several rungs."""

    recipe: str
    settings: tuple[tuple[str, Any], ...] = ()
    calibrated: bool = False  # needs the user's data

    @property
    def label(self) -> str:
        """As "int4_gptq_mixed keep_share=0.1"."""
        return " ".join([self.recipe, *(f"{name}={value}" for name, value in self.settings)])


def names(kind: Kind | None = None) -> list[str]:
    """The recipes that ship with edgekit, of one kind or all."""
    return [name for name in registry.members("edgekit.recipes") if kind is None or load(name).kind == kind]


def load(name: str) -> Recipe:
    """The recipe of this name, or of this .py file.

    Raises:
        UsageError: unknown name (the nearest is suggested), one that is not available (with the reason), or a file that
            is not a recipe.
    """
    if name.endswith(".py"):
        return _recipe(Path(name).stem, _load_file(Path(name)))
    if name in UNAVAILABLE:
        reason, instead = UNAVAILABLE[name]
        raise UsageError(f"recipe {name} is not available: {reason}", next=f"take {instead}")
    known = registry.members("edgekit.recipes")
    if name not in known:
        raise UsageError(
            f"unknown recipe {name!r}{nearest(name, known)}",
            next=f"one of: {', '.join(known)}, or a .py file",
        )
    return _recipe(name, registry.member("edgekit.recipes", name))


def calibrates(model: Model) -> bool:
    """Whether there is a calibrated recipe for a model whose `by-effort` recipe is to be found."""
    return load("int4_gptq_mixed").suits(model)[0]


def candidates(kind: Kind) -> tuple[Candidate, ...]:
    """The recipes of a kind that say where they stand on the ladder, the smallest first."""
    rungs = []
    for recipe in map(load, names(kind)):
        calibrated = recipe.calibrated and not kinds.of(kind).settings.OWN_TEXT
        for place, settings in recipe.rungs.items():
            rungs.append((place, Candidate(recipe.name, tuple(settings.items()), calibrated)))
    return tuple(candidate for _, candidate in sorted(rungs, key=lambda rung: rung[0]))


def _load_file(path: Path) -> ModuleType:
    try:
        module = registry.from_file(path, f"edgekit_recipe_{path.stem}")
    except Exception as error:  # the user's own code may raise anything
        raise UsageError(f"recipe {path.name} cannot be loaded: {error}", next="fix the recipe file") from error
    if module is None:
        raise UsageError(f"no recipe file {path}", next="give the path of an existing .py file")
    return module


def _recipe(name: str, module: ModuleType) -> Recipe:
    missing = [word for word in ("KIND", "PRECISION", "SUMMARY", "CALIBRATED", "passes") if not hasattr(module, word)]
    if missing:
        raise UsageError(
            f"recipe {name} lacks {', '.join(missing)}",
            next="see edgekit/recipes/int4_rtn.py for the form of a recipe",
        )
    return Recipe(
        name=name,
        kind=module.KIND,
        precision=module.PRECISION,
        summary=module.SUMMARY,
        calibrated=module.CALIBRATED,
        sha256=with_neighbours(Path(str(module.__file__))),
        passes=module.passes,
        files=getattr(module, "files", None),
        suits=getattr(module, "suits", lambda model: (True, "")),
        rungs=getattr(module, "RUNGS", {}),
    )
