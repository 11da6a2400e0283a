"""Dynamic int8 of matrix products: weights are quantized now, activations while the model runs. Needs no data.

Weights are unsigned for the reason that int8_qdq gives. Tables of embeddings become int8 too: half of a small model.
"""

from __future__ import annotations

from typing import Any

from edgekit.model import Model
from edgekit.recipes import _graph
from edgekit.target import TensorSettings

KIND = "tensor"
PRECISION = "int8"
SUMMARY = "dynamic int8 of matrix products and embeddings; activations are quantized at run time"
CALIBRATED = False

OPERATORS = ("Attention", "Gather", "Gemm", "LSTM", "MatMul")  # Gather: a table of embeddings


def passes(model: Model, settings: TensorSettings) -> list[dict[str, Any]]:
    """Preparation, then quantization."""
    quantize = {
        "type": "OnnxDynamicQuantization",
        "precision": "uint8",
        "weight_symmetric": True,
        "per_channel": True,
        "op_types_to_quantize": list(OPERATORS),
        "quant_preprocess": False,
    }
    return [*_graph.prepare(model, fold=True), quantize]
