"""genai_config.json, as far as edgekit reads and writes it; what it does not know stays as it was.

A folder of ONNX Runtime GenAI is described by this file: one decoder graph, or a pipeline of several that run one after
the other. Keys: https://onnxruntime.ai/docs/genai/reference/config.html, and GenAI 0.14.1's own builder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from edgekit.wrappers.python import strict

NAME = "genai_config.json"


class _Open(BaseModel):
    """Frozen, with every key that is not a field kept."""

    model_config = ConfigDict(extra="allow", frozen=True)

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return self.model_copy(update=changes)


class SessionOptions(_Open):
    """Of a decoder, or of one graph of a pipeline; each provider stands alone in its object."""

    provider_options: tuple[dict[str, dict[str, str]], ...] = ()

    @property
    def providers(self) -> tuple[str, ...]:
        """The names of the providers, first choice first; none where the CPU runs it."""
        return tuple(name for table in self.provider_options for name in table)


class Part(_Open):
    """One graph of a pipeline.

    Attributes:
        run_on_prompt: False where it is skipped while the prompt is read.
        run_on_token_gen: False where it is skipped while tokens are generated.
    """

    filename: str
    run_on_prompt: bool | None = None
    run_on_token_gen: bool | None = None
    session_options: SessionOptions | None = None

    @property
    def of_layers(self) -> bool:
        """True for the model's layers, of which there is a graph for each phase; embeddings and lm_head run in both."""
        return bool({"run_on_prompt", "run_on_token_gen"} & self.model_fields_set)


class Window(_Open):
    """Of a pipeline: the tokens that one call of its graphs takes."""

    window_size: int


class Decoder(_Open):
    """The graph or graphs of a language model."""

    filename: str = "model.onnx"
    head_size: int = 0
    num_key_value_heads: int = 0
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    session_options: SessionOptions = SessionOptions()
    sliding_window: Window | None = None
    pipeline: tuple[dict[str, Part], ...] = ()

    @property
    def parts(self) -> dict[str, Part]:
        """The graphs of a pipeline by name, in the order they run."""
        return {name: part for stage in self.pipeline for name, part in stage.items()}


class GenaiModel(_Open):
    """The part `model`."""

    decoder: Decoder
    eos_token_id: int | tuple[int, ...] = ()
    pad_token_id: int = 0
    context_length: int = 0

    @property
    def ends(self) -> tuple[int, ...]:
        """The ids that end an answer."""
        return (self.eos_token_id,) if isinstance(self.eos_token_id, int) else self.eos_token_id


class Search(_Open):
    """The part `search`: defaults of a generator."""

    max_length: int | None = None


class GenaiConfig(_Open):
    """A genai_config.json."""

    model: GenaiModel
    search: Search = Search()


def there(folder: Path) -> bool:
    """True for a folder of GenAI's."""
    return (folder / NAME).is_file()


def read(folder: Path) -> GenaiConfig:
    """The configuration of a folder.

    Raises:
        OSError: there is none, or it cannot be read.
        ValueError: it is no JSON, or not of this form.
    """
    return GenaiConfig.model_validate(strict.loads((folder / NAME).read_bytes(), names=True))


def text(config: GenaiConfig) -> str:
    """The one text of a configuration: keys sorted, and only what was read or set."""
    return json.dumps(config.model_dump(mode="json", exclude_unset=True), indent=4, sort_keys=True) + "\n"
