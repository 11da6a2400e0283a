"""Models of plain tensors: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field

from edgekit.data import Strict
from edgekit.kinds._bench import Bench, Runs
from edgekit.kinds._kind import Built, Contract, Footprint, Kind, Rule
from edgekit.kinds._settings import Settings
from edgekit.kinds.variant import Variant
from edgekit.model import Dim, Model, Tensor
from edgekit.results import metrics as m


class TensorSettings(Settings):
    """How this target builds and runs every other model."""

    KIND = "tensor"
    EXAMPLE = """\
# recipe = "{0.recipe}"

# [tensor.budget]
# latency_p90_ms = {{ max = 50.0 }}
"""

    recipe: str = Field(default="int8_qdq", description="used when calibration data is given")
    recipe_uncalibrated: str = Field(default="int8_dynamic", description="used when no calibration data is given")
    calibration_method: Literal["MinMax", "Entropy", "Percentile"] = Field(
        default="MinMax", description="w8a16_qdq, w8a8_qdq: how the range of activations is found"
    )
    per_channel: bool = Field(default=True, description="w8a16_qdq, w8a8_qdq: a scale for each output channel")
    keep_float32: tuple[str, ...] = Field(default=(), description="fp16: operators that stay float32")

    def _quantized(self, variant: Variant) -> dict[str, str]:
        without = variant.recipe_uncalibrated or variant.recipe or self.recipe_uncalibrated
        return {**super()._quantized(variant), "recipe_uncalibrated": without}


class TensorContract(Contract):
    """What an app must feed and will get."""

    TITLE = "Inputs and outputs"
    COLUMNS = ("", "name", "type", "shape", "made from")

    kind: Literal["tensor"] = "tensor"
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    labels: str | None = Field(default=None, description="path of a file with one label or character a line")
    decode: str = Field(default="none", description="how the outputs are read: classes, ctc, dbnet, mean-pool, ...")

    def rows(self) -> list[tuple[str, ...]]:
        """A line for each tensor."""
        return [
            (way, tensor.name, tensor.dtype, _shape(tensor.shape), _words(tensor.preprocess))
            for way, tensors in (("in", self.inputs), ("out", self.outputs))
            for tensor in tensors
        ]

    def files(self) -> tuple[str, ...]:
        """The labels."""
        return (self.labels,) if self.labels is not None else ()


class TensorBench(Bench):
    """The workload of a tensor model: its check inputs, in turn."""

    kind: Literal["tensor"] = "tensor"
    runs: Runs = Runs()
    sustain_s: float | None = Field(
        default=None, description="run for so many seconds instead, summed up by the second"
    )

    def words(self) -> str:
        """One workload is like another."""
        return "inferences, one after the other"

    def work(self, samples: Mapping[str, Sequence[float]], lap: int, seconds: float) -> float:
        """As many as there were in a second."""
        return samples[m.THROUGHPUT_IPS.name][lap] * seconds

    def quick(self) -> Self:
        """A few inferences."""
        return super().quick().but(runs=Runs(min=5, min_s=0, max_s=10))

    def turn(self) -> Self:
        """A second or more."""
        return super().turn().but(runs=Runs(min=50, min_s=1.0, max_s=5.0))


class Tolerance(Strict):
    """How near an output must be to its golden."""

    cosine_min: float
    length_tolerance: float = Field(description="|length / golden length - 1| at most")


class TensorRule(Rule):
    """The direction and length of every output; int8 kernels differ by CPU, so another family has its own limit."""

    kind: Literal["tensor"] = "tensor"
    same_kernels: Tolerance = Tolerance(cosine_min=0.999, length_tolerance=0.01)
    elsewhere: Tolerance = Tolerance(cosine_min=0.97, length_tolerance=0.1)


def _shape(shape: tuple[Dim, ...]) -> str:
    return " x ".join("?" if dim is None else str(dim) for dim in shape) or "scalar"


def _words(preprocess: Any) -> str:
    """How an input is made, in one line: its kind and what is set other than by default."""
    if preprocess is None:
        return ""
    set_ = preprocess.model_dump(exclude_defaults=True, exclude={"kind"})
    return " ".join([preprocess.kind, *(f"{key}={value}" for key, value in set_.items())])


def _describe(model: Model, settings: TensorSettings, built: Built) -> TensorContract:
    return TensorContract(inputs=model.inputs, outputs=model.outputs, labels=built.labels, decode=built.decode)


def _footprint(model: Model, settings: TensorSettings, weight_bytes: int) -> Footprint:
    factors = settings.memory
    prepacked = int(weight_bytes * (factors.prepack_factor - 1))
    return Footprint(
        mapped_bytes=weight_bytes,
        engine_bytes=factors.engine_bytes,
        prepacked_bytes=prepacked,
        predicted_peak_bytes=weight_bytes + prepacked + (factors.engine_bytes or 0),
    )


KIND = Kind(
    name="tensor",
    title="tensor models",
    work="inference",
    settings=TensorSettings,
    contract=TensorContract,
    bench=TensorBench(),
    rule=TensorRule(),
    form=lambda model, settings: "onnx",
    describe=_describe,
    footprint=_footprint,
    notes=lambda model, settings: (),
    headlines=(m.LATENCY_P50_MS, m.PEAK_FOOTPRINT_MB, m.ENERGY_J_PER_INFERENCE, m.COSINE_MEAN),
)
