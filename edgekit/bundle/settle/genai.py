"""A model in the form of ONNX Runtime GenAI: a folder with genai_config.json."""

from __future__ import annotations

from pathlib import Path

from edgekit.bundle.stage import write
from edgekit.contract import genai_config
from edgekit.data import file_digest
from edgekit.kinds import Built, Contract, Generating
from edgekit.sources.source import Source
from edgekit.target import Target


def path(inside: str) -> str:
    """What is opened of a variant in the folder `inside`: the folder itself."""
    return inside


def needs(target: Target) -> str | None:
    """The lowest GenAI that the target allows; None where it says nothing of it."""
    return next((package.floor for package in target.runtime if "genai" in package.name.lower()), None)


def built(folder: Path, inside: str, source: Source) -> Built:
    """What the built folder says that the source does not."""
    template = folder / "chat_template.jinja"
    return Built(template=file_digest(template) if template.is_file() else None)


def settle(folder: Path, own: Path, inside: str, contract: Contract, source: Source) -> None:
    """Write into genai_config.json what the engine would otherwise take from defaults.

    search.max_length defaults to the whole context window, and the key-value cache is allocated for it; the end tokens
    become the full list of the generation config and the chat template, so that answers stop.
    """
    assert isinstance(contract, Generating)
    config = genai_config.read(folder)
    model = config.model.replace(eos_token_id=contract.eos_token_ids, context_length=contract.context_length)
    config = config.replace(model=model, search=config.search.replace(max_length=contract.max_length))
    write(own / genai_config.NAME, genai_config.text(config))
