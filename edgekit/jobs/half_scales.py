"""A graph surgery: the scales of quantized weights are stored in half precision and cast when the graph is loaded.

ONNX Runtime's CPU kernels want scales of the activations' type, float32, which at block 32 is a bit for every weight.
The cast of a constant is folded when a session is made, so nothing is computed differently and only the file is
smaller: by 8 % for int4 in blocks of 32. Rounding the scales moves SmolLM2's logits by 2e-6 nats (mean KL).
"""

from __future__ import annotations

import numpy as np
import onnx
from olive.passes.onnx.graph_surgeries import ProtoSurgeon
from onnx import TensorProto, helper, numpy_helper

OPERATORS = ("MatMulNBits", "GatherBlockQuantized")
SCALES = 2  # the input that holds them, in both
HALF = ".half"
WORST = 2.0**-10  # relative; a scale below half's normal range (6e-5) is rounded by more, and stays as it is


class EdgekitHalfScales(ProtoSurgeon):  # type: ignore[misc]
    """Stores float32 scales as float16, behind a Cast."""

    def __call__(self, model: onnx.ModelProto) -> onnx.ModelProto:
        """Change the model in place; scales that half precision would distort are left alone."""
        graph = model.graph
        stored = {tensor.name: tensor for tensor in graph.initializer}
        casts = []
        for name in _scales(graph):
            tensor = stored.get(name)
            if tensor is None or tensor.data_type != TensorProto.FLOAT:
                continue
            exact = numpy_helper.to_array(tensor)
            half = exact.astype(np.float16)
            if not np.all(np.abs(half.astype(np.float32) - exact) <= WORST * np.abs(exact)):
                continue
            tensor.CopyFrom(numpy_helper.from_array(half, name + HALF))
            casts.append(helper.make_node("Cast", [name + HALF], [name], name=f"{name}/Cast", to=TensorProto.FLOAT))
        nodes = [*casts, *graph.node]
        del graph.node[:]
        graph.node.extend(nodes)
        return model


def _scales(graph: onnx.GraphProto) -> list[str]:
    """The names of scales, each once: tied weights share theirs."""
    found = (node.input[SCALES] for node in graph.node if node.op_type in OPERATORS and len(node.input) > SCALES)
    return list(dict.fromkeys(found))
