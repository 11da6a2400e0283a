"""Static shapes and the HTP's quantization, as plain dicts: what recipes for compiled graphs share."""

from __future__ import annotations

from typing import Any

from edgekit.inputs import static
from edgekit.kinds.tensor import TensorSettings
from edgekit.model import Model
from edgekit.recipes import _graph


def fixed(model: Model, settings: TensorSettings) -> list[dict[str, Any]]:
    """Fix the sizes of inputs that vary, where the target needs static shapes.

    Raises:
        UsageError: nothing says a size; the input is named.
    """
    if not settings.static_shapes or not static.varies(model):
        return []
    shapes = static.shapes(model)
    one = {"input_name": list(shapes), "input_shape": [list(shape) for shape in shapes.values()]}
    return [{"type": "EdgekitFixedShape", **one}]


def qdq(model: Model, settings: TensorSettings, *, activations: str, wide_weights: int = 0) -> list[dict[str, Any]]:
    """Static shapes, preparation, then QDQ pairs around every operator, as the HTP wants them.

    Weights are uint8 around a zero point of 128: the HTP takes no other zero points per channel.

    Args:
        activations: "uint8" or "uint16".
        wide_weights: so many convolutions from the inputs on keep int16 weights; uint16 activations only.
    """
    quantize = {
        "type": "EdgekitQnnQuantization",
        "data_config": "calibration",
        "quant_format": "QDQ",
        "precision": "uint8",
        "weight_symmetric": True,
        "activation_type": activations,
        "per_channel": settings.per_channel,
        "calibrate_method": settings.calibration_method,
        "wide_weights": wide_weights,
        "correct_bias": True,
        # One input at a time: the activations of all of them do not fit in memory.
        "extra_options": {"CalibStridedMinMax": 1},
    }
    return [*fixed(model, settings), *_graph.prepare(model, fold=True), quantize]
