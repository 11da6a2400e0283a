"""A local .gguf file: converted to a Hugging Face folder, tokenizer included."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgekit import cache, digests
from edgekit.errors import SourceError
from edgekit.sources import hf
from edgekit.sources._convert import convert
from edgekit.sources.facts import foreign
from edgekit.sources.facts.files import AGAIN, name_of
from edgekit.sources.source import Options, Source

MAGIC = b"GGUF"
CHECKPOINT = "use the model's Hugging Face checkpoint as source instead"
CONVERTED = "converted from GGUF to safetensors"


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
    with path.open("rb") as stream:
        head = stream.read(4)
    if head != MAGIC:
        wrong = "is empty" if not head else "is not a GGUF file"
        raise foreign.instead(path, SourceError(f"{path.name} {wrong}", next=AGAIN))
    sha256 = cache.path_digest(path)
    folder, _ = convert("gguf", path, sha256, {}, taken, what=f"converting {path.name}", emit=options.emit)
    try:
        opened = hf.fetch(str(folder), replace(options, name=options.name or name_of(path)))
    except SourceError as error:  # its next step is about files that the user does not have
        raise SourceError(f"{path.name}, converted: {error.message}", next=CHECKPOINT) from error
    return replace(
        opened,
        ref=path.name,
        origin=(f"{path.name}, sha256 {sha256}", CONVERTED, *opened.origin),
    )
