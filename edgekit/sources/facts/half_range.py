"""Constants that float16 cannot hold: its converter clips them, and a reader of the bundle should know."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgekit.sources.facts.onnx_graph import bodies, parse

MOST, LEAST = 65504.0, 2.0**-24  # of float16's magnitudes: the largest number, the smallest subnormal
SHOWN = 3


def clipped(path: Path) -> str:
    """The constants of a model that are too large or too small, in words; empty where there are none."""
    from onnx import TensorProto, numpy_helper

    beyond: dict[str, float] = {}
    for body in bodies(parse(path)):
        tensors = [*getattr(body, "initializer", ())]
        constants = (node for node in body.node if node.op_type == "Constant")
        tensors += [it.t for node in constants for it in node.attribute if it.name == "value"]
        for tensor in tensors:
            if tensor.data_type in (TensorProto.FLOAT, TensorProto.DOUBLE):
                values = np.abs(numpy_helper.to_array(tensor, base_dir=str(path.parent)))
                finite = values[np.isfinite(values) & (values > 0)]
                if finite.size and finite.max() > MOST:
                    beyond[tensor.name or "a Constant"] = float(finite.max())
                elif finite.size == 1 and finite.min() < LEAST:  # an epsilon; among weights it is as good as zero
                    beyond[tensor.name or "a Constant"] = float(finite.min())
    named = ", ".join(f"{name} ({value:.3g})" for name, value in [*beyond.items()][:SHOWN])
    more = f" and {len(beyond) - SHOWN} more" if len(beyond) > SHOWN else ""
    return f"constants beyond float16's range were clipped to it: {named}{more}" if beyond else ""
