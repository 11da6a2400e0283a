"""open_bundle: from a folder to something that answers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import guard, kinds
from . import manifest as manifests
from .manifest import Refused

if TYPE_CHECKING:
    from .llm import LlmBundle
    from .tensor import TensorBundle


@dataclass(frozen=True)
class Opened:
    """A bundle's folder, its manifest as read, and the variant that will run."""

    folder: Path
    manifest: dict[str, Any]
    variant: dict[str, Any]
    threads: int | None
    slots: int = 1

    @property
    def contract(self) -> dict[str, Any]:
        """What the bundle promises apps: inputs and outputs, or how to generate."""
        return dict(self.manifest["contract"])

    @property
    def kind(self) -> Any:
        """Of the model, as the contract says it."""
        return self.contract.get("kind")

    @property
    def model(self) -> Path:
        """The .onnx file (tensor) or the GenAI folder (llm)."""
        return manifests.inside(self.folder, str(self.variant["path"]))


def open_bundle(
    folder: str | os.PathLike[str],
    variant: str | None = None,
    *,
    threads: int | None = None,
    slots: int = 1,
    hashes: bool = False,
    foreign: bool = False,
) -> LlmBundle | TensorBundle:
    """Open a bundle, ready to answer.

    Args:
        folder: the bundle's folder.
        variant: by name; else the first that runs on this machine.
        threads: for one operator; the engine chooses when None.
        slots: key-value caches of a language model that `respond` keeps, each of max_length.
        hashes: compare every byte with the manifest (at install), not only the sizes.
        foreign: run a bundle of another platform, for a look at its outputs (see manifest.choose).

    Raises:
        Refused: damaged, not for this runtime or machine (the axis is named), or an engine is missing.
    """
    opened = find(Path(folder), variant, threads=threads, hashes=hashes, foreign=foreign)
    return opener(opened)(replace(opened, slots=slots))


def opener(opened: Opened) -> Callable[[Opened], LlmBundle | TensorBundle]:
    """What opens a model of this form; its engine is loaded now."""
    manifests.engine("onnxruntime").disable_telemetry_events()  # Windows: the environment is not enough
    if kinds.of(opened.kind).FORM == "genai":
        manifests.engine("onnxruntime_genai")
        from .llm import LlmBundle

        return LlmBundle
    from .tensor import TensorBundle

    return TensorBundle


def find(
    folder: Path,
    variant: str | None = None,
    *,
    threads: int | None = None,
    hashes: bool = False,
    foreign: bool = False,
) -> Opened:
    """What `open_bundle` finds before it loads the model; raises as it does."""
    manifest = manifests.read(folder)
    chosen = manifests.choose(manifest, variant, foreign=foreign)
    manifests.check_files(folder, manifest, str(chosen["name"]), hashes=hashes)
    _check_safe(folder, chosen, str(manifest["contract"].get("kind")))
    return Opened(folder, manifest, chosen, threads)


def _check_safe(folder: Path, variant: dict[str, Any], kind: str) -> None:
    """Refuse a variant by which an engine would open, run or write what is not of the bundle."""
    manifests.inside(folder, str(variant["path"]))
    if fault := guard.check(folder, variant, kinds.of(kind).FORM):
        path, why = fault
        raise Refused(f"{path!r} is not safe: {why}", next="take the bundle from where it was built, or build it again")


@contextmanager
def cannot_open(engine: str) -> Iterator[None]:
    """What an engine says when it cannot open a model becomes Refused; out of memory stays what it is."""
    try:
        yield
    except Exception as error:  # ONNX Runtime's exceptions have no base of their own
        words = (str(error).splitlines() or ["no reason given"])[0][:300]
        if isinstance(error, MemoryError) or "alloc" in str(error).lower():
            raise
        raise Refused(
            f"{engine} cannot open the model: {words}",
            next="verify the bundle (edgekit verify); if it is whole and for this chip, take a later engine",
        ) from error
