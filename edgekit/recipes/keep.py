"""Keep the model as it is: for one that is already quantized, or that must not be touched."""

from __future__ import annotations

from typing import Any

from edgekit.kinds.tensor import TensorSettings
from edgekit.model import Model

KIND = "tensor"
PRECISION = "as-is"
SUMMARY = "the model's own bytes, unchanged"
CALIBRATED = False


def passes(model: Model, settings: TensorSettings) -> list[dict[str, Any]]:
    """No pass at all."""
    return []
