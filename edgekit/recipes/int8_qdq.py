"""Static int8 with QuantizeLinear/DequantizeLinear pairs around the operators that carry weights.

Only those are quantized: with every operator in int8 the detection, recognition and orientation nets of PP-OCR fail the
gate, as their cheap element-wise operators gain no speed and lose most of the signal. Weights are per channel.
"""

from __future__ import annotations

from typing import Any

from edgekit.model import Model
from edgekit.recipes import _graph
from edgekit.target import TensorSettings

KIND = "tensor"
PRECISION = "int8"
SUMMARY = "static int8 (QDQ) of convolutions and matrix products, per channel, calibrated on your data"
CALIBRATED = True

OPERATORS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def passes(model: Model, settings: TensorSettings) -> list[dict[str, Any]]:
    """Preparation, then calibration and quantization."""
    quantize = {
        "type": "OnnxStaticQuantization",
        "data_config": "calibration",
        "quant_format": "QDQ",
        "precision": "int8",
        "activation_type": "uint8",
        "per_channel": True,
        "reduce_range": True,
        "calibrate_method": "Percentile",
        "op_types_to_quantize": list(OPERATORS),
        "quant_preprocess": False,
        "prepare_qdq_config": False,
        # One input at a time: inputs may differ in size, and the activations of all of them do not fit in memory.
        "extra_options": {"CalibStridedMinMax": 1},
    }
    return [*_graph.prepare(model), quantize]
