"""Graph surgery: the rotary tables of Gemma 3's local layers, which a linear scaling of the others leaves alone.

GenAI's graph builder divides the frequencies of both tables by the factor that config.json gives to the layers that
look at everything (4B, 12B and 27B have 8); transformers divides theirs alone.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from olive.passes.onnx.graph_surgeries import ProtoSurgeon
from onnx import numpy_helper

from edgekit.errors import BuildError
from edgekit.jobs.olive.passes import _weights

TABLES = {"cos_cache_local": np.cos, "sin_cache_local": np.sin}  # [positions, rotary dimensions / 2]


class EdgekitLocalRope(ProtoSurgeon):  # type: ignore[misc]
    """Computes the local tables anew, of rope_local_base_freq alone; nothing without rope_scaling.

    Args:
        source: the folder of config.json.

    Raises:
        BuildError: the graph has no such tables.
    """

    edgekit_lean = True

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = Path(source)

    def __call__(self, model: onnx.ModelProto) -> onnx.ModelProto:
        config = json.loads((self.source / "config.json").read_text(encoding="utf-8"))
        if not config.get("rope_scaling"):
            return model
        tables = [tensor for tensor in model.graph.initializer if tensor.name in TABLES]
        if len(tables) != len(TABLES):
            raise BuildError("the graph has no tables of local layers", next="this is a bug in the recipe: report it")
        for tensor in tables:
            before = _weights.array(tensor)
            positions, half = before.shape
            inverse = float(config["rope_local_base_freq"]) ** -(np.arange(half, dtype=np.float64) / half)
            values = TABLES[tensor.name](np.arange(positions)[:, None] * inverse)
            tensor.CopyFrom(numpy_helper.from_array(values.astype(before.dtype), tensor.name))
        return model
