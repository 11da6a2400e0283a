"""A folder built for ONNX Runtime GenAI, and its graphs: alone they are no models that anybody can ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekit.contract import genai_config
from edgekit.errors import SourceError
from edgekit.sources.facts.files import optional_json

INSTEAD = "give the model that it was built from, as its Hugging Face folder or hf:ORG/NAME"


def refuse(path: Path) -> None:
    """Refuse a graph that a genai_config.json beside it names.

    Raises:
        SourceError: it does: the graph takes what the engine hands it, past keys and values among it.
    """
    folder = path.absolute().parent
    if genai_config.there(folder) and path.name in _files(optional_json(folder / genai_config.NAME)):
        raise error(path.name, folder.name)


def error(graph: str, folder: str) -> SourceError:
    """What a graph of GenAI's folder is, and what to give instead."""
    what = f"{graph} is a graph of {folder}, which is built for ONNX Runtime GenAI ({genai_config.NAME} beside it)"
    return SourceError(f"{what}: no model of its own", next=INSTEAD)


def _files(value: Any) -> set[str]:
    """Every file that a configuration names, of a decoder, an encoder or a pipeline's parts."""
    if isinstance(value, list):
        return {name for part in value for name in _files(part)}
    if not isinstance(value, dict):
        return set()
    below = {name for part in value.values() for name in _files(part)}
    return below | ({str(value["filename"])} if "filename" in value else set())
