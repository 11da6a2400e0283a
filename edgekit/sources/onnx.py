"""A local .onnx file, with its external data beside it; or a folder that holds just one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgekit import digests
from edgekit.contract import genai_config
from edgekit.sources import _linked
from edgekit.sources.facts import preprocess
from edgekit.sources.facts.files import license_files, license_of, name_of
from edgekit.sources.facts.modules import TEXTS
from edgekit.sources.facts.onnx_graph import external_files, read_model
from edgekit.sources.source import Options, Source

# What facts and inputs are read from, where it lies beside the graph.
BESIDE = ("config.json", "preprocessor_config.json", "tokenizer.json", TEXTS)


def matches(ref: str) -> bool:
    """An existing .onnx file, or a folder whose only model is one."""
    return _graph(Path(ref)) is not None


def fetch(ref: str, options: Options) -> Source:
    """The file as it is: nothing is converted."""
    path = _graph(Path(ref))
    assert path is not None
    path = path.absolute()
    name, what = options.name or name_of(path), f"the model {path.name}"
    first = digests.snapshot(path, *(path.parent / name for name in BESIDE), what=what)
    with digests.unchanged(first):
        stored = external_files(path)
    taken = digests.snapshot(*first.paths, *(path.parent / other for other in stored), what=what)
    if _linked.is_linked(path, stored):
        path, taken = _linked.copied(path, stored, taken, name)
    with digests.unchanged(first, taken):
        return replace(_read(path, name, options), snapshot=taken)


def _read(path: Path, name: str, options: Options) -> Source:
    model = read_model(path, name=name, task=options.task or "")
    if not (path.parent / "config.json").is_file():  # any folder: what else lies there is not this model's
        return Source(ref=path.name, form="onnx", path=path, model=model)
    folder = path.parent
    model = preprocess.described(folder, model.model_copy(update={"license": license_of(folder)}))
    return Source(ref=path.name, form="onnx", path=path, model=model, licenses=license_files(folder))


def _graph(path: Path) -> Path | None:
    try:
        if path.suffix.lower() == ".onnx" and path.is_file():
            return path
        if not path.is_dir() or any(path.glob("*.safetensors")) or genai_config.there(path):
            return None
        found = list(path.glob("*.onnx"))
    except (OSError, ValueError):  # a name no file system takes
        return None
    return found[0] if len(found) == 1 else None
