"""Constant biases as ONNX Runtime's quantizer takes them: one dimension, one value for each output channel, beta 1.

It scales a bias by channel along its first axis, whatever its shape. A Gemm's C may have any shape that spreads over
the output, and ONNX Runtime's optimizer makes such a Gemm of MatMul and Add: a C of [1, N] is what exports from
TensorFlow and JAX become, and then no session runs the quantized graph. A beta the quantizer sets to 1 and forgets.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def flat(model: Any) -> Any:
    """The model, each constant C of a Gemm beta times itself as [N]; one that differs by row is added behind it."""
    from onnx import helper, numpy_helper

    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    names = set(constants) | {name for node in model.graph.node for name in node.output}
    nodes = []
    for node in model.graph.node:
        nodes.append(node)
        if node.op_type != "Gemm" or len(node.input) < 3 or node.input[2] not in constants:
            continue
        bias, beta = constants[node.input[2]], _attribute(node, "beta", 1.0)
        if len(bias.dims) == 1 and bias.dims[0] == _width(node, constants) and beta == 1.0:
            continue
        values = numpy_helper.to_array(bias)
        row = _row(values * np.asarray(beta, values.dtype), _width(node, constants))
        name = _free(f"{bias.name}_flat", names)
        model.graph.initializer.append(numpy_helper.from_array(row, name))
        if row.ndim == 1:
            node.input[2] = name
        else:
            output, node.output[0] = node.output[0], _free(f"{node.output[0]}_unbiased", names)
            del node.input[2]
            nodes.append(helper.make_node("Add", [node.output[0], name], [output], name=_free(f"{name}_add", names)))
        kept = [attribute for attribute in node.attribute if attribute.name != "beta"]
        del node.attribute[:]
        node.attribute.extend(kept)
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)
    return model


def _attribute(node: Any, name: str, default: float) -> float:
    """A float or int attribute of a node."""
    values = (it.f if it.type == it.FLOAT else it.i for it in node.attribute if it.name == name)
    return next(values, default)


def _width(node: Any, constants: dict[str, Any]) -> int | None:
    """How many output channels a Gemm has, as far as constant weights say it."""
    weights = constants.get(node.input[1])
    return None if weights is None else int(weights.dims[0 if _attribute(node, "transB", 0) else 1])


def _row(values: Array, width: int | None) -> Array:
    """The values as [N], where every row of the output gets the same and N is known; else as they are."""
    if values.ndim > 1 and values.shape[0] > 1:
        return values
    row = values.reshape(-1)
    if row.size == 1 and width is not None:
        return np.full(width, row[0])
    return row if row.size > 1 or width == 1 else values.reshape((1,) * 2)


def _free(name: str, names: set[str]) -> str:
    """The name, with underscores behind it until nothing else has it."""
    while name in names:
        name += "_"
    names.add(name)
    return name
