"""Quantization recipes, one file each: what Olive should do, as plain dicts.

A recipe module has KIND ("llm" or "tensor"), PRECISION, SUMMARY, CALIBRATED (needs calibration data) and
`passes(model, settings) -> list[dict]`; one that leaves other files than its kind's usual ones also has
`files(model, settings) -> tuple[str, ...]`. A recipe from outside the package is the path of such a .py file.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from edgekit.data import file_digest, nearest
from edgekit.errors import UsageError
from edgekit.model import Kind, Model
from edgekit.target import LlmSettings, TensorSettings

# Asked for by name and not to be had: why, and what to take instead.
UNAVAILABLE = {
    "int4_awq": (
        "Olive drives AutoAWQ for it, whose last release (0.2.9, May 2025) ends at transformers 4.51",
        "int4_gptq or int4_gptq_mixed, which are calibrated on text too",
    )
}

Passes = Callable[[Model, LlmSettings | TensorSettings], list[dict[str, Any]]]
Files = Callable[[Model, LlmSettings | TensorSettings], tuple[str, ...]]


@dataclass(frozen=True)
class Recipe:
    """A loaded recipe; sha256 is of its source, so that a changed recipe never meets an old cache entry.

    files: the names of what it leaves; None for the usual ones (model.onnx, and GenAI's for a language model).
    """

    name: str
    kind: Kind
    precision: str
    summary: str
    calibrated: bool
    sha256: str
    passes: Passes
    files: Files | None = None


def names(kind: Kind | None = None) -> list[str]:
    """The recipes that ship with edgekit, of one kind or all."""
    found = sorted(info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_"))
    return [name for name in found if kind is None or load(name).kind == kind]


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
    known = [info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_")]
    if name not in known:
        raise UsageError(
            f"unknown recipe {name!r}{nearest(name, known)}",
            next=f"one of: {', '.join(sorted(known))}, or a .py file",
        )
    return _recipe(name, importlib.import_module(f"{__name__}.{name}"))


def _load_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"edgekit_recipe_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise UsageError(f"no recipe file {path}", next="give the path of an existing .py file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the user's own code may raise anything
        raise UsageError(f"recipe {path.name} cannot be loaded: {error}", next="fix the recipe file") from error
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
        sha256=file_digest(Path(str(module.__file__))),
        passes=module.passes,
        files=getattr(module, "files", None),
    )
