"""A local .onnx file, with its external data beside it; or a folder that holds just one."""

from __future__ import annotations

from pathlib import Path

from edgekit.sources.facts import preprocess
from edgekit.sources.facts.files import licence_files, licence_of, name_of
from edgekit.sources.facts.onnx_graph import read_model
from edgekit.sources.source import Options, Source


def matches(ref: str) -> bool:
    """An existing .onnx file, or a folder whose only model is one."""
    return _graph(Path(ref)) is not None


def fetch(ref: str, options: Options) -> Source:
    """The file as it is: nothing is converted."""
    path = _graph(Path(ref))
    assert path is not None
    path = path.absolute()
    model = read_model(path, name=options.name or name_of(path), task=options.task or "")
    if not (path.parent / "config.json").is_file():  # any folder: what else lies there is not this model's
        return Source(ref=path.name, form="onnx", path=path, model=model)
    folder = path.parent
    known = {"licence": licence_of(folder), "inputs": preprocess.infer(folder, model.inputs)}
    model = model.model_copy(update=known)
    return Source(ref=path.name, form="onnx", path=path, model=model, licences=licence_files(folder))


def _graph(path: Path) -> Path | None:
    try:
        if path.suffix.lower() == ".onnx" and path.is_file():
            return path
        if not path.is_dir() or any(path.glob("*.safetensors")) or (path / "genai_config.json").is_file():
            return None
        found = list(path.glob("*.onnx"))
    except (OSError, ValueError):  # a name no file system takes
        return None
    return found[0] if len(found) == 1 else None
