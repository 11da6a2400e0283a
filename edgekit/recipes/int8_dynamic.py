"""Dynamic int8 of matrix products: weights are quantized now, activations while the model runs. Needs no data.

Weights are unsigned for the reason that int8_qdq gives. Tables of embeddings become int8 too: half of a small model.
"""

from __future__ import annotations

from typing import Any

from edgekit.kinds.tensor import TensorSettings
from edgekit.model import Model
from edgekit.recipes import _graph

KIND = "tensor"
PRECISION = "int8"
SUMMARY = "dynamic int8 of matrix products and embeddings; activations are quantized at run time"
CALIBRATED = False
RUNGS: dict[int, dict[str, Any]] = {2: {}}

PRODUCTS = ("Attention", "Gemm", "LSTM", "MatMul")
OPERATORS = ("Gather", *PRODUCTS)  # Gather: a table of embeddings
LEAST = 0.5  # share of the weights that are in matrix products


def passes(model: Model, settings: TensorSettings) -> list[dict[str, Any]]:
    """Preparation, then quantization."""
    quantize = {
        "type": "OnnxDynamicQuantization",
        "precision": "uint8",
        "weight_symmetric": True,
        "per_channel": True,
        "op_types_to_quantize": sorted(OPERATORS),
        "quant_preprocess": False,
    }
    return [*_graph.prepare(model, fold=True), quantize]


def suits(model: Model) -> tuple[bool, str]:
    """Only where most weights are in matrix products."""
    total = sum(model.weight_bytes_by_op.values())
    share = sum(size for op, size in model.weight_bytes_by_op.items() if op in PRODUCTS) / total if total else 0.0
    if share >= LEAST:
        return True, f"{share:.0%} of the weights are in matrix products, which dynamic int8 serves"
    return False, "dynamic int8 of convolutions is slower than float and less exact, so it stays float"
