"""Olive passes that recipes for ONNX graphs share, as plain dicts."""

from __future__ import annotations

from typing import Any

from edgekit.model import Model

OPSET = 17  # per-channel QDQ needs 13; 17 is old enough for every runtime in use and has LayerNormalization
LEAST_OPSET = 13


def prepare(model: Model) -> list[dict[str, Any]]:
    """A newer opset where the model's is older than QDQ allows, then constant folding, fusion and shape inference.

    Symbolic shape inference is left out: it fails on PP-OCR's dynamic shapes, and what it adds is for transformers.
    """
    old = model.opset is not None and model.opset < LEAST_OPSET
    upgrade = [{"type": "OnnxOpVersionConversion", "target_opset": OPSET}] if old else []
    return [*upgrade, {"type": "OnnxQuantizationPreprocess", "skip_symbolic_shape": True}]
