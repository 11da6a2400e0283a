"""How long a build takes, from one that was timed. build.toml is written by benchmarks/first_minutes.py."""

from __future__ import annotations

import tomllib
from functools import cache

from pydantic import Field

from edgekit import files
from edgekit.data import Strict


class Timed(Strict):
    """A build of a language model, with its gate and all."""

    model: str
    parameters: int
    seconds: float = Field(gt=0)
    machine: str
    date: str


@cache
def read() -> Timed | None:
    """The build that was timed; None where none was yet."""
    path = files.resource("fit/memory.toml").with_name("build.toml")
    return Timed.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def words(parameters: int) -> str:
    """The time of another model's build, in proportion, and of what."""
    it = read()
    if it is None:
        return "unknown, no build was timed for an estimate (docs/choosing.md)"
    minutes = it.seconds * parameters / it.parameters / 60
    time = f"{minutes:,.2g} min" if minutes >= 1 else f"{max(60 * minutes, 1):.2g} s"
    return f"{time}, in proportion to one build of {it.model} on {it.machine}"
