"""8-bit weights and 16-bit activations for the HTP: nearly float's answers at int8's size.

The first two convolutions keep 16-bit weights: they are the smallest of a net and everything it sees passes through
them. On EfficientNet-Lite0 they add 4 dB, as much as the correction of the biases (olive/passes/qnn_quantize.py).
"""

from __future__ import annotations

from typing import Any

from edgekit.kinds.tensor import TensorSettings
from edgekit.model import Model
from edgekit.recipes import _static

KIND = "tensor"
PRECISION = "w8a16"
SUMMARY = "uint8 weights per channel, uint16 activations (QDQ), biases corrected, calibrated on your data"
CALIBRATED = True

WIDE = 2


def passes(model: Model, settings: TensorSettings) -> list[dict[str, Any]]:
    """Static shapes, preparation, calibration and quantization of every operator."""
    return _static.qdq(model, settings, activations="uint16", wide_weights=WIDE)
