"""Olive passes that recipes for ONNX graphs share, as plain dicts."""

from __future__ import annotations

from typing import Any

from edgekit.errors import SourceError
from edgekit.model import Model

OPSET = 17  # per-channel QDQ needs 13; 17 is old enough for every runtime in use and has LayerNormalization
LEAST_OPSET = 13


def prepare(model: Model, *, fold: bool) -> list[dict[str, Any]]:
    """A newer opset where the model's is older than QDQ allows, then shape inference.

    Symbolic shape inference is left out: it fails on PP-OCR's dynamic shapes, and what it adds is for transformers.

    Args:
        fold: fold constants and fuse too, so that weights are constants and can be quantized. The file may grow:
            SwiftF0's becomes eight times as large.

    Raises:
        SourceError: weights that no pass behind this one takes: it would leave them, under another precision's name.
    """
    _refuse(model, quantized=fold)
    old = model.opset is not None and model.opset < LEAST_OPSET
    upgrade = [{"type": "OnnxOpVersionConversion", "target_opset": OPSET}] if old else []
    infer = {"type": "OnnxQuantizationPreprocess", "skip_symbolic_shape": True, "skip_optimization": not fold}
    return [*upgrade, infer]


def _refuse(model: Model, *, quantized: bool) -> None:
    keep = "--recipe keep ships it as it is"
    if model.dtype == "float64":
        raise SourceError(
            f"{model.name} has float64 weights, which no quantizer, no float16 conversion and no accelerator takes",
            next=f"export it in float32 (torch: model.float(), and float32 inputs), or {keep}, for the CPU alone",
        )
    if quantized and model.dtype in ("float16", "bfloat16"):
        raise SourceError(
            f"{model.name} has {model.dtype} weights, quantizers take float32",
            next=f"export it in float32, or {keep}",
        )
