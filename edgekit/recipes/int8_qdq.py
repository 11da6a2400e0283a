"""Static int8 with QuantizeLinear/DequantizeLinear pairs around the operators that carry weights.

Only those are quantized: with every operator in int8 the detection, recognition and orientation nets of PP-OCR fail the
gate, as their cheap element-wise operators gain no speed and lose most of the signal. Of those the noisiest stay float
(edgekit/jobs/olive/passes/static_int8.py). Weights are per channel.

On the CPU weights are unsigned: with signed ones an x86 without VNNI adds two products of 8 bits into 16 and saturates.
PP-OCRv4's orientation net, all of it in int8, is then 15.2 dB above its noise instead of 21.5; unsigned it is 27.1 on
either CPU. No file can ask for the exact kernel, and 7 bits for signed weights cost 4 dB everywhere. The price
is a third of the speed on an x86 with VNNI. Other providers take signed ones only.

NNAPI takes a scale for each channel of convolutions alone, so there the others have one scale (op_builder_helpers.cc,
IsQuantizationScaleSupported, refuses more for MatMul; Android's FULLY_CONNECTED, which a Gemm becomes, has no more).
"""

from __future__ import annotations

from typing import Any

from edgekit.kinds.tensor import TensorSettings
from edgekit.model import Model
from edgekit.recipes import _graph, _static

KIND = "tensor"
PRECISION = "int8"
SUMMARY = "static int8 (QDQ) of convolutions and matrix products, per channel, calibrated on your data"
CALIBRATED = True
RUNGS: dict[int, dict[str, Any]] = {1: {}}

OPERATORS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
ONE_SCALE = {"nnapi": ("Gemm", "MatMul")}  # by EP: operators whose weights it takes per tensor only
TARGET_DB = 20.0  # on calibration inputs; the gate asks for 12 on others. PP-OCRv4 recognition needs 18 to read as well


def passes(model: Model, settings: TensorSettings) -> list[dict[str, Any]]:
    """Static shapes where the target needs them, preparation, then calibration and quantization."""
    quantize = {
        "type": "EdgekitStaticQuantization",
        "data_config": "calibration",
        "quant_format": "QDQ",
        "precision": "uint8" if settings.ep == "cpu" else "int8",
        "weight_symmetric": True,
        "activation_type": "uint8",
        "per_channel": True,
        "calibrate_method": "Percentile",
        "op_types_to_quantize": list(OPERATORS),
        "target_sqnr_db": TARGET_DB,
        "quant_preprocess": False,
        "prepare_qdq_config": False,
        # One input at a time: inputs may differ in size, and the activations of all of them do not fit in memory.
        "extra_options": {"CalibStridedMinMax": 1},
    }
    if settings.ep in ONE_SCALE:
        quantize["per_tensor_op_types"] = list(ONE_SCALE[settings.ep])
    return [*_static.fixed(model, settings), *_graph.prepare(model, fold=True), quantize]
