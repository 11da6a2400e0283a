"""8-bit weights and activations for the HTP: half of W8A16's traffic in memory, and a tenth of its exactness."""

from __future__ import annotations

from typing import Any

from edgekit.kinds.tensor import TensorSettings
from edgekit.model import Model
from edgekit.recipes import _static

KIND = "tensor"
PRECISION = "w8a8"
SUMMARY = "uint8 weights per channel, uint8 activations (QDQ), biases corrected, calibrated on your data"
CALIBRATED = True


def passes(model: Model, settings: TensorSettings) -> list[dict[str, Any]]:
    """Static shapes, preparation, calibration and quantization of every operator."""
    return _static.qdq(model, settings, activations="uint8")
