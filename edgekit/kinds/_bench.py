"""The workload of a check: how long it warms up and runs, and how a user's wishes shape it.

The numbers are MEASURING.md's.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import Field

from edgekit.data import Strict
from edgekit.errors import UsageError


class WarmUp(Strict):
    """Runs are repeated until they are steady."""

    min_runs: int = 3
    min_s: float = 2.0
    window: int = Field(default=5, description="the last runs that are looked at")
    max_cv: float = Field(default=0.05, description="standard deviation over mean of the window")
    max_slope: float = Field(default=0.02, description="rise of a line through the window, over its mean")
    max_s: float = Field(default=30.0, description="not steady by then: the measurement is invalid")


class Trials(Strict):
    """llm: whole answers are repeated until the confidence intervals are narrow."""

    min: int = 10
    max: int = 30
    max_s: float = Field(default=900.0, description="no further trial is begun after this")
    half_width: float = Field(default=0.03, description="half the 95 % confidence interval over the mean")


class Runs(Strict):
    """tensor: single inferences."""

    min: int = 200
    min_s: float = 10.0
    max_s: float = 120.0


class Bench(Strict):
    """The workload that a check runs."""

    kind: str
    warmup: WarmUp = WarmUp()
    sustain_s: float | None = None

    @abstractmethod
    def words(self) -> str:
        """What is run, in words that two results of the same workload share."""

    @abstractmethod
    def work(self, samples: Mapping[str, Sequence[float]], lap: int, seconds: float) -> float:
        """Tokens or inferences of one lap of a sustained run, which took so many seconds."""

    def asked(self, prompts: Sequence[int] = (), depths: Sequence[int] = ()) -> Self:
        """With other prompt lengths and depths, in tokens.

        Raises:
            UsageError: the model takes no prompts, or a prompt is empty.
        """
        if prompts or depths:
            raise UsageError("--prompts and --depths are for language models", next="leave them out")
        return self

    def quick(self) -> Self:
        """One that shows that everything works, and whose timings are marked invalid."""
        return self.but(warmup=WarmUp(min_runs=1, min_s=0, window=2, max_cv=10, max_slope=10, max_s=1))

    def sustained(self, seconds: float) -> Self:
        """The main part of it for so many seconds."""
        return self.but(sustain_s=float(seconds))

    def turn(self) -> Self:
        """That of one process of an A/B: short, for there are dozens of them."""
        return self.but(warmup=WarmUp(min_s=1.0, max_s=10.0))

    def but(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return self.model_copy(update=changes)
