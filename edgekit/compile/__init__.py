"""Ahead-of-time compilers: one file each, named as targets name them, with `refuse_early` and `run`.

A variant that names none is its optimized model as it is.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from edgekit.bundle.manifest import Compatibility
from edgekit.errors import TargetError
from edgekit.plan import VariantPlan
from edgekit.target import Target


@dataclass(frozen=True)
class CompiledVariant:
    """A variant's model, ready to be staged.

    Attributes:
        folder: its files; an entry of the cache, to be copied.
        compatibility: what it is tied to beside the target's os and abi: soc, htp_arch, qairt.
        facts: what the compiler did: soc, htp_arch, qairt, compiler, contexts, binaries, and by graph the nodes that it
            compiled and left; empty where nothing was compiled.
    """

    name: str
    folder: Path
    ep: str
    ep_options: dict[str, str]
    compatibility: Compatibility
    facts: dict[str, Any] = field(default_factory=dict)


def refuse_early(variants: Iterable[VariantPlan], target: Target) -> None:
    """Before the first slow step: can this machine compile these variants, and the target's apps load them?

    Raises:
        EdgekitError: as the compiler's `refuse_early` raises.
    """
    for name in sorted({one.compile for one in variants if one.compile}):
        _compiler(name).refuse_early(target)


def compile_variant(variant: VariantPlan, model: Path, target: Target) -> CompiledVariant:
    """Compile the optimized model of a variant, or take it as it is.

    Args:
        model: the folder that the optimize stage left (entry.path / "model").

    Raises:
        EdgekitError: as the compiler raises.
    """
    tied = Compatibility(soc=variant.soc, htp_arch=variant.htp_arch)
    if variant.compile is None:
        return CompiledVariant(variant.name, model, variant.ep, variant.ep_options, tied)
    entry = _compiler(variant.compile).run(variant, model, target)
    facts = json.loads((entry / "facts.json").read_text(encoding="utf-8"))
    tied = tied.model_copy(update={"qairt": facts.get("qairt")})
    return CompiledVariant(variant.name, entry / "model", variant.ep, variant.ep_options, tied, facts)


def simulator(variants: Iterable[VariantPlan]) -> dict[str, str] | None:
    """Provider options that let the accelerator's simulator stand for the first chip that is compiled for.

    Returns: None where nothing is compiled: then there is no simulator, and the CPU stands in.
    """
    first = next((one for one in variants if one.compile), None)
    return None if first is None else {**first.ep_options, "soc_model": str(first.soc_model)}


def _compiler(name: str) -> ModuleType:
    known = sorted(info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_"))
    if name not in known:
        raise TargetError(f"there is no compiler {name!r}", next=f"one of: {', '.join(known)}")
    return importlib.import_module(f"{__name__}.{name}")
