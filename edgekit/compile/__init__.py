"""Ahead-of-time compilers: one file each, named as targets name them, with `refuse_early` and `run`.

A variant that names none is its optimized model as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from edgekit import registry
from edgekit.errors import TargetError

if TYPE_CHECKING:
    from edgekit.kinds.variant import Variant
    from edgekit.target import Target


@dataclass(frozen=True)
class Compiled:
    """A variant's model, ready to be settled.

    Attributes:
        folder: its files; an entry of the cache, only to be read.
        facts: what the compiler did: soc, htp_arch, qairt, compiler, contexts, binaries, and by graph the nodes that it
            compiled and left; empty where nothing was compiled.
    """

    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)


def refuse_early(variants: Iterable[Variant], target: Target) -> None:
    """Before the first slow step: can this machine compile these variants, and the target's apps load them?

    Raises:
        EdgekitError: as the compiler's `refuse_early` raises.
    """
    for name in sorted({one.compile for one in variants if one.compile}):
        _compiler(name).refuse_early(target)


def roots(variants: Iterable[Variant]) -> tuple[str, ...]:
    """The code that compiled variants depend on (edgekit.code)."""
    names = sorted({one.compile for one in variants if one.compile})
    return tuple(root for name in names for root in _compiler(name).BASIS.roots)


def compiled(
    variants: Iterable[Variant], models: Mapping[str, Path], target: Target, *, fallback: bool
) -> dict[str, Compiled]:
    """Each variant's model, compiled ahead of time where its plan says so; the arguments are `compile_variant`'s."""
    return {it.name: compile_variant(it, models[it.name], target, fallback=fallback) for it in variants}


def compile_variant(variant: Variant, model: Path, target: Target, *, fallback: bool) -> Compiled:
    """Compile the optimized model of a variant, or take it as it is.

    Args:
        model: the folder that the optimize stage left (entry.path / "model").
        fallback: the CPU may run what the provider leaves.

    Raises:
        EdgekitError: as the compiler raises.
    """
    if variant.compile is None:
        return Compiled(model)
    entry = _compiler(variant.compile).run(variant, model, target, fallback)
    return Compiled(entry / "model", json.loads((entry / "facts.json").read_text(encoding="utf-8")))


def simulator(variants: Iterable[Variant]) -> dict[str, str] | None:
    """Provider options that let the accelerator's simulator stand for the first chip that is compiled for.

    Returns: None where nothing is compiled: then there is no simulator, and the CPU stands in.
    """
    first = next((one for one in variants if one.compile), None)
    return None if first is None else {**first.ep_options, "soc_model": str(first.soc_model)}


def _compiler(name: str) -> ModuleType:
    known = registry.members("edgekit.compile")
    if name not in known:
        raise TargetError(f"there is no compiler {name!r}", next=f"one of: {', '.join(known)}")
    return registry.member("edgekit.compile", name)
