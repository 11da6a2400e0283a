"""The model's own float32 weights, with shapes inferred: for what no quantization serves."""

from __future__ import annotations

from typing import Any

from edgekit.kinds.tensor import TensorSettings
from edgekit.model import Model
from edgekit.recipes import _graph, _static

KIND = "tensor"
PRECISION = "float32"
SUMMARY = "float32, shapes inferred"
CALIBRATED = False
RUNGS: dict[int, dict[str, Any]] = {3: {}}


def passes(model: Model, settings: TensorSettings) -> list[dict[str, Any]]:
    """Static shapes where the target needs them; nothing that changes a value."""
    return [*_static.fixed(model, settings), *_graph.prepare(model, fold=False)]
