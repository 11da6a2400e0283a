"""A model in the form of one .onnx file, and what an app needs around it."""

from __future__ import annotations

from pathlib import Path

from edgekit.bundle.stage import copy, write
from edgekit.errors import BuildError, SourceError
from edgekit.kinds import Built, Contract
from edgekit.model import TextInput
from edgekit.sources.facts.onnx_graph import read_model
from edgekit.sources.source import Source
from edgekit.target import Target

GRAPH = "model.onnx"
LABELS = "labels.txt"


def path(inside: str) -> str:
    """What is opened of a variant in the folder `inside`: its graph."""
    return f"{inside}/{GRAPH}"


def needs(target: Target) -> str | None:
    """GenAI is not needed."""
    return None


def built(folder: Path, inside: str, source: Source) -> Built:
    """What is known of a built graph, whose inputs and outputs are the source's.

    Raises:
        BuildError: they are others, or it is no graph at all.
    """
    try:
        model = read_model(folder / GRAPH, name=source.model.name)
    except SourceError as error:  # a graph of our own making: the source is not to blame
        raise BuildError(f"the built model is no good: {error.message}", next="try another --recipe") from error
    wanted, have = (({x.name for x in it.inputs}, {x.name for x in it.outputs}) for it in (source.model, model))
    if wanted != have:
        raise BuildError(
            "the built model's inputs or outputs are not the source's: "
            f"{', '.join(sorted((wanted[0] ^ have[0]) | (wanted[1] ^ have[1])))}",
            next="try another --recipe, and report the model",
        )
    return Built(labels=f"{inside}/{LABELS}" if source.labels else None, decode=source.decode)


def settle(folder: Path, own: Path, inside: str, contract: Contract, source: Source) -> None:
    """Put beside the graph what an app needs around it: the labels of its outputs, the tokenizer of its texts.

    Args:
        inside: the folder of the variant in the bundle; one variant has the labels of all.
    """
    if f"{inside}/{LABELS}" in contract.files():
        write(own / LABELS, source.labels)
    tokenizer = source.path.parent / "tokenizer.json"
    if any(isinstance(tensor.preprocess, TextInput) for tensor in source.model.inputs) and tokenizer.is_file():
        copy(tokenizer, own / tokenizer.name)
