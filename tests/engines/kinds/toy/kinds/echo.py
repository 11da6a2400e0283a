"""Echoes: a row of numbers in, a row of numbers back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from edgekit.kinds._bench import Bench
from edgekit.kinds._kind import Built, Contract, Footprint, Kind, Rule
from edgekit.kinds._settings import Settings
from edgekit.model import Model, Tensor
from edgekit.results import metrics as m


class EchoSettings(Settings):
    """How this target builds and runs echoes."""

    KIND = "echo"

    recipe: str = "echo"
    echoes: int = 5


class EchoContract(Contract):
    """What an app calls into it and hears back."""

    kind: Literal["echo"] = "echo"
    width: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


class EchoBench(Bench):
    """One call after the other."""

    kind: Literal["echo"] = "echo"
    calls: int = 40

    def words(self) -> str:
        """How many."""
        return f"{self.calls} calls"

    def work(self, samples: Mapping[str, Sequence[float]], lap: int, seconds: float) -> float:
        """All of them are a lap."""
        return self.calls


class EchoRule(Rule):
    """What comes back is what it was."""

    kind: Literal["echo"] = "echo"
    most: float = 1e-3


def _describe(model: Model, settings: EchoSettings, built: Built) -> EchoContract:
    width = model.inputs[0].shape[-1]
    assert isinstance(width, int)
    return EchoContract(width=width, inputs=model.inputs, outputs=model.outputs)


def _footprint(model: Model, settings: EchoSettings, weight_bytes: int) -> Footprint:
    return Footprint(mapped_bytes=weight_bytes, predicted_peak_bytes=settings.echoes * weight_bytes)


KIND = Kind(
    name="echo",
    title="echoes",
    work="inference",
    settings=EchoSettings,
    contract=EchoContract,
    bench=EchoBench(),
    rule=EchoRule(),
    form=lambda model, settings: "onnx",
    describe=_describe,
    footprint=_footprint,
    notes=lambda model, settings: (f"it is heard {settings.echoes} times",),
    headlines=(m.ECHO_GAIN, m.NONFINITE_OUTPUTS),
)
