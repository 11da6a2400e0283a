"""A local .gguf file: converted to a Hugging Face folder, tokenizer included."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import prod
from pathlib import Path

from edgekit import cache, digests, tools
from edgekit.errors import SourceError
from edgekit.sources import hf
from edgekit.sources._convert import convert
from edgekit.sources.facts import architectures, doubts, foreign
from edgekit.sources.facts.files import AGAIN, name_of
from edgekit.sources.facts.hf_folder import llm_model, read_config
from edgekit.sources.facts.safetensors import Weight
from edgekit.sources.source import Options, Source

MAGIC = b"GGUF"
CHECKPOINT = "use the model's Hugging Face checkpoint as source instead"
CONVERTED = "converted from GGUF to safetensors"
HEADER = "described by its header: its weights were not read; a build converts them to safetensors"
HEADER_TIMEOUT = 600.0  # seconds; a vocabulary of 262,144 pieces takes a few


def matches(ref: str) -> bool:
    """An existing file that is named .gguf or begins like one."""
    path = Path(ref)
    try:
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            return path.suffix.lower() == ".gguf" or stream.read(4) == MAGIC
    except (OSError, ValueError):
        return False


def fetch(ref: str, options: Options) -> Source:
    """The folder that the file converts to."""
    path = Path(ref).absolute()
    taken = digests.snapshot(path, what=f"the model {path.name}")
    _begins_right(path)
    sha256 = cache.path_digest(path)
    folder, _ = convert("gguf", path, sha256, {}, taken, what=f"converting {path.name}", emit=options.emit)
    with _named(path):
        opened = hf.fetch(str(folder), replace(options, name=options.name or name_of(path)))
    return replace(
        opened,
        ref=path.name,
        origin=(f"{path.name}, sha256 {sha256}", CONVERTED, *opened.origin),
    )


def described(ref: str, options: Options) -> Source:
    """The model as the file's header describes it: enough for a plan, and no weights are read."""
    path = Path(ref).absolute()
    _begins_right(path)
    with tempfile.TemporaryDirectory(prefix="edgekit-gguf-") as name:
        room, folder = Path(name), Path(name, "model")
        folder.mkdir()
        request = {"source": str(path), "out": str(folder)}
        job = tools.module("edgekit.jobs", "gguf.header")
        told = tools.job(job, request, room, timeout=HEADER_TIMEOUT, what="reading the header")
        with _named(path):
            weights = {
                key: Weight(told["dtype"], tuple(shape), prod(shape) * told["item_bytes"])
                for key, shape in told["tensors"].items()
            }
            config = read_config(folder)
            architectures.generates(config["architectures"][0], options.task)
            model = llm_model(folder, config, name=options.name or name_of(path), weights=weights)
            doubtful = doubts.of(folder, {}, model.llm) if model.llm else ()
    types = ", ".join(f"{kind} ({count})" for kind, count in told["source_types"].items())
    lines = (f"{path.name}: tensors in {types}; tokenizer {told['tokenizer']}", HEADER)
    return Source(ref=path.name, form="hf", path=path, model=model, origin=lines, doubts=doubtful)


def _begins_right(path: Path) -> None:
    with path.open("rb") as stream:
        head = stream.read(4)
    if head != MAGIC:
        wrong = "is empty" if not head else "is not a GGUF file"
        raise foreign.instead(path, SourceError(f"{path.name} {wrong}", next=AGAIN))


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """A fault of the converted folder is said of the file: its next step is about files that the user does not have."""
    try:
        yield
    except SourceError as error:
        raise SourceError(f"{path.name}, converted: {error.message}", next=CHECKPOINT) from error
