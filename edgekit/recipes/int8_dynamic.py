"""Dynamic int8 of matrix products: weights are quantized now, activations while the model runs. Needs no data."""

from __future__ import annotations

from typing import Any

from edgekit.model import Model
from edgekit.recipes import _graph
from edgekit.target import TensorSettings

KIND = "tensor"
PRECISION = "int8"
SUMMARY = "dynamic int8 of matrix products, per channel; activations are quantized at run time"
CALIBRATED = False

OPERATORS = ("Attention", "Gemm", "LSTM", "MatMul")


def passes(model: Model, settings: TensorSettings) -> list[dict[str, Any]]:
    """Preparation, then quantization."""
    quantize = {
        "type": "OnnxDynamicQuantization",
        "precision": "int8",
        "per_channel": True,
        "reduce_range": True,
        "op_types_to_quantize": list(OPERATORS),
        "quant_preprocess": False,
    }
    return [*_graph.prepare(model), quantize]
