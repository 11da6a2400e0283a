"""A GenAI pipeline of several graphs: which of them are compiled, and the folder that holds them compiled."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.contract import genai_config
from edgekit.contract.genai_config import SessionOptions
from edgekit.data import write_atomic


def graphs(folder: Path) -> list[str]:
    """The files of the layers' graphs, in the order they run; none where the folder holds no pipeline."""
    if not genai_config.there(folder):
        return []
    return [part.filename for part in genai_config.read(folder).model.decoder.parts.values() if part.of_layers]


def complete(model: Path, out: Path, compiled: Sequence[str], ep_options: Mapping[str, str]) -> None:
    """Add to the compiled graphs in `out` what else the folder `model` holds, but for the graphs they stand for.

    In a GenAI folder the compiled graphs get the QNN provider with the options of the variant.
    """
    weights = {name for graph in compiled for name in _weights(model / graph)}
    for path in sorted(model.iterdir()):
        if path.is_file() and path.name not in {*compiled, *weights}:
            shutil.copyfile(path, out / path.name)
    if not genai_config.there(model):
        return
    config = genai_config.read(model)
    options = SessionOptions(log_id="onnxruntime-genai", provider_options=({"qnn": dict(ep_options)},))  # type: ignore[call-arg]
    decoder = config.model.decoder
    pipeline = tuple(
        {name: part.replace(session_options=options) if part.of_layers else part for name, part in stage.items()}
        for stage in decoder.pipeline
    )
    config = config.replace(model=config.model.replace(decoder=decoder.replace(pipeline=pipeline)))
    (out / genai_config.NAME).unlink()
    write_atomic(out / genai_config.NAME, genai_config.text(config))


def _weights(graph: Path) -> set[str]:
    import onnx
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    tensors = onnx.load(str(graph), load_external_data=False).graph.initializer
    return {str(ExternalDataInfo(one).location) for one in tensors if uses_external_data(one)}
