"""The model's own float32 weights, with constants folded and shapes inferred: what no quantization serves."""

from __future__ import annotations

from typing import Any

from edgekit.model import Model
from edgekit.recipes import _graph
from edgekit.target import TensorSettings

KIND = "tensor"
PRECISION = "float32"
SUMMARY = "float32, constants folded and shapes inferred"
CALIBRATED = False


def passes(model: Model, settings: TensorSettings) -> list[dict[str, Any]]:
    """The preparation that quantized models get too, and nothing after it."""
    return _graph.prepare(model)
