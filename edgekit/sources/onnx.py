"""A local .onnx file, with its external data beside it; or a folder that holds just one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgekit import digests
from edgekit.contract import genai_config
from edgekit.sources import _linked
from edgekit.sources.facts import detectors, engine_folder, modules, preprocess, unshaped
from edgekit.sources.facts.files import license_files, license_of, name_of
from edgekit.sources.facts.onnx_graph import NotValid, external_files, read_model
from edgekit.sources.source import Options, Source

# What facts and inputs are read from, where it lies beside the graph.
BESIDE = (
    *("config.json", "preprocessor_config.json", "processor_config.json", "tokenizer.json", "tokenizer_config.json"),
    *(modules.MODULES, modules.PROMPTS, modules.TEXTS),
)


def matches(ref: str) -> bool:
    """An existing .onnx file, or a folder whose only model is one."""
    return _graph(Path(ref)) is not None


def fetch(ref: str, options: Options) -> Source:
    """The file as it is: nothing is converted."""
    path = _graph(Path(ref))
    assert path is not None
    path = path.absolute()
    engine_folder.refuse(path)
    name, what = options.name or name_of(path), f"the model {path.name}"
    home = _home(path)
    first = digests.snapshot(path, *(home / name for name in BESIDE), what=what)
    with digests.unchanged(first):
        stored = external_files(path)
    taken = digests.snapshot(*first.paths, *(path.parent / other for other in stored), what=what)
    if _linked.is_whole(path, stored) and (home != path.parent or _linked.is_linked(path, stored)):
        path, taken = _linked.copied(path, stored, taken, name, home)
    with digests.unchanged(first, taken):
        try:
            return replace(_read(path, name, options), snapshot=taken)
        except NotValid:
            mended = unshaped.mended(path)
            if mended is None:
                raise
    path, made = _linked.copied(path, stored, taken, name, path.parent, mended[0])
    source = _read(path, name, options)
    return replace(source, snapshot=made, model=source.model.model_copy(update={"repairs": mended[1]}))


def _home(path: Path) -> Path:
    """Where what describes a graph lies: beside it, or one folder up, as the hub's exporters lay it (onnx/)."""
    folder = path.parent
    configured = [(place / "config.json").is_file() for place in (folder, folder.parent)]
    return folder.parent if folder.name == "onnx" and configured == [False, True] else folder


def _read(path: Path, name: str, options: Options) -> Source:
    model = read_model(path, name=name, task=options.task or "")
    if not (path.parent / "config.json").is_file():  # any folder: what else lies there is not this model's
        return detectors.described(Source(ref=path.name, form="onnx", path=path, model=model))
    folder = path.parent
    lines = modules.beside_graph(folder, model.outputs)
    model = preprocess.described(folder, model.model_copy(update={"license": license_of(folder), "left_out": lines}))
    return detectors.described(
        Source(ref=path.name, form="onnx", path=path, model=model, licenses=license_files(folder))
    )


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
