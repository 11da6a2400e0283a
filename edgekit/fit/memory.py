"""The memory of bundles that were run, and what is predicted of half of them from the other half.

memory.toml is written by benchmarks/memory.py; nobody types a figure.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache

from pydantic import Field

from edgekit import files
from edgekit.data import Strict
from edgekit.kinds import Footprint
from edgekit.model import Model
from edgekit.predict import memory
from edgekit.predict.memory import Parts


class Row(Strict):
    """One bundle that was run: what is known beforehand, and what it took."""

    recipe: str
    vocabulary: int
    weights: int = Field(description="bytes of the graph's weights")
    cache_per_token: int
    tokens: int = Field(description="of the prompt; eight more were answered")
    engine: int = Field(description="bytes, as the target says it")
    measured: int = Field(description="bytes: proportional set size with swap, at most")

    @property
    def parts(self) -> Parts:
        """What a prediction takes."""
        return Parts(self.engine, self.weights, self.vocabulary, self.cache_per_token, self.tokens + 8)


class Measured(Strict):
    """What benchmarks/memory.py wrote."""

    model: str
    machine: str
    date: str
    row: tuple[Row, ...]


@dataclass(frozen=True)
class Figure:
    """A bundle's memory; predicted where it was not fitted."""

    row: Row
    predicted: int | None

    @property
    def error(self) -> float | None:
        """The prediction's distance, as a share of what was measured."""
        return None if self.predicted is None else abs(self.predicted - self.row.measured) / self.row.measured


@cache
def measured() -> Measured:
    """All that was measured."""
    return Measured.model_validate(tomllib.loads(files.resource("fit/memory.toml").read_text(encoding="utf-8")))


@cache
def coefficient() -> float:
    """Bytes of a tokenizer for a token of its vocabulary, from every second row."""
    fitted = measured().row[::2]
    return memory.tokenizer([row.parts for row in fitted], [row.measured for row in fitted])


def figures() -> list[Figure]:
    """Every row; every second one is fitted, the others are predicted."""
    return [
        Figure(row, memory.expected(row.parts, coefficient()) if at % 2 else None)
        for at, row in enumerate(measured().row)
    ]


def expected(model: Model, taken: Footprint, tokens: int) -> int | None:
    """The memory that a bundle is expected to take with a text of so many tokens; None where its engine is unknown."""
    if taken.engine_bytes is None or model.llm is None or taken.kv_bytes_per_token is None:
        return None
    parts = Parts(taken.engine_bytes, taken.mapped_bytes, model.llm.vocab_size, taken.kv_bytes_per_token, tokens)
    return memory.expected(parts, coefficient())
