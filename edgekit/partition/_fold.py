"""Constant folding and shape inference without ONNX Runtime: for graphs that it cannot be asked about.

What ONNX knows is inferred node by node with its own functions; for the contrib operators of GenAI's decoders the
output shapes are written here, after ContribOperators.md of ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.partition._view import READABLE, array

KEPT = ("QuantizeLinear", "DequantizeLinear")  # ONNX Runtime does not fold these: providers look for them
Types = dict[str, Any]


def fold(model: Any, folder: Path) -> Any:
    """A copy of the model whose constant nodes are gone and whose values have the shapes that can be inferred.

    Args:
        folder: of the model's file, for small constants in another file.
    """
    from onnx import ModelProto, helper

    folded = ModelProto()
    folded.CopyFrom(model)
    graph = folded.graph
    del graph.node[:], graph.value_info[:]
    overridable = {value.name for value in model.graph.input} if model.ir_version >= 4 else set()
    small = {
        tensor.name: _inline(tensor, folder) for tensor in model.graph.initializer if tensor.name not in overridable
    }
    known = {name: one for name, one in small.items() if one is not None}
    types: Types = {
        value.name: value.type for value in (*model.graph.value_info, *model.graph.output, *model.graph.input)
    }
    for one in model.graph.initializer:
        types[one.name] = helper.make_tensor_type_proto(one.data_type, list(one.dims))
    for node in model.graph.node:
        inferred = _inferred(node, known, types, model)
        values = _constant(node, known, types, inferred, model)
        if values is not None and not set(node.output) & {value.name for value in model.graph.output}:
            for tensor in values:
                known[tensor.name] = tensor
                types[tensor.name] = helper.make_tensor_type_proto(tensor.data_type, list(tensor.dims))
                graph.initializer.append(tensor)
            continue
        graph.node.append(node)
        types |= inferred
    named = {one.name for one in (*graph.input, *graph.output, *graph.initializer)}
    for name, kind in types.items():
        if name not in named:
            graph.value_info.append(helper.make_value_info(name, kind))
    return folded


def _inline(tensor: Any, folder: Path) -> Any:
    """The constant with its data inside; None where the data cannot be read."""
    from onnx import numpy_helper

    value = array(tensor, folder)
    return None if value is None else numpy_helper.from_array(value, tensor.name)


def _constant(node: Any, known: dict[str, Any], types: Types, inferred: Types, model: Any) -> list[Any] | None:
    """The outputs of a node that always gives the same small values; None for every other node."""
    from onnx import numpy_helper
    from onnx.reference import ReferenceEvaluator

    if (
        node.domain not in ("", "ai.onnx")
        or node.op_type in KEPT
        or any(attribute.HasField("g") for attribute in node.attribute)
    ):
        return None
    if node.op_type == "Shape" and not node.attribute:
        shape = _sizes(types.get(node.input[0]))
        return None if shape is None else [numpy_helper.from_array(np.array(shape, np.int64), node.output[0])]
    if not all(name in known for name in node.input if name) or (not node.input and node.op_type != "Constant"):
        return None
    if node.op_type.startswith(("Random", "Bernoulli", "Multinomial")):
        return None
    sizes = [_sizes(inferred.get(name)) for name in node.output if name]
    if not all(size is not None and prod(size) <= READABLE for size in sizes):
        return None  # not even to be computed: a few bytes can ask for gigabytes
    try:
        feeds = {name: numpy_helper.to_array(known[name]) for name in node.input if name}
        results = ReferenceEvaluator(node, opsets={opset.domain: opset.version for opset in model.opset_import}).run(
            None, feeds
        )
    except Exception:  # the reference lacks operators and types; what it cannot compute is simply not folded
        return None
    found = [(name, value) for name, value in zip(node.output, results, strict=False) if name]
    if not all(isinstance(value, np.ndarray | np.generic) and np.size(value) <= READABLE for _, value in found):
        return None
    return [numpy_helper.from_array(np.asarray(value), name) for name, value in found]


def _sizes(kind: Any) -> list[int] | None:
    """The shape of a type, where every size is known."""
    if kind is None or not kind.HasField("tensor_type") or not kind.tensor_type.HasField("shape"):
        return None
    dims = kind.tensor_type.shape.dim
    return [dim.dim_value for dim in dims] if all(dim.HasField("dim_value") for dim in dims) else None


def _inferred(node: Any, known: dict[str, Any], types: Types, model: Any) -> Types:
    """The types of a node's outputs, as far as they can be known."""
    from onnx import defs, shape_inference

    contrib = _CONTRIB.get(node.op_type)
    if contrib is not None and (node.domain == "com.microsoft" or node.op_type.startswith("Simplified")):
        return contrib(node, types)
    opsets = {opset.domain: opset.version for opset in model.opset_import}
    try:
        schema = defs.get_schema(node.op_type, opsets.get(node.domain, 1), node.domain)
        return dict(
            shape_inference.infer_node_outputs(
                schema,
                node,
                {name: types[name] for name in node.input if name in types},
                {name: known[name] for name in node.input if name in known},
                opset_imports=list(model.opset_import),
                ir_version=model.ir_version,
            )
        )
    except Exception:  # a schema ONNX has not, inputs of unknown type, a shape that is wrong: nothing is known then
        return {}


def _like(position: int) -> Callable[[Any, Types], Types]:
    """The first output, and the fourth of skip-normalizations, are like this input."""

    def infer(node: Any, types: Types) -> Types:
        kind = types.get(node.input[position]) if position < len(node.input) else None
        if kind is None:
            return {}
        return {name: kind for place, name in enumerate(node.output) if name and place in (0, 3)}

    return infer


def _last(size: str) -> Callable[[Any, Types], Types]:
    """The first output is like the first input with another last size, which an attribute gives."""

    def infer(node: Any, types: Types) -> Types:
        value = next((attribute.i for attribute in node.attribute if attribute.name == size), None)
        return {} if value is None else _resized(node, types, value)

    return infer


def _attention(node: Any, types: Types) -> Types:
    """GroupQueryAttention: like the query; a packed query (no key) holds keys and values too."""
    number = {attribute.name: attribute.i for attribute in node.attribute}
    if len(node.input) > 1 and node.input[1]:
        return _like(0)(node, types)
    kind = types.get(node.input[0])
    width = kind.tensor_type.shape.dim[-1].dim_value if kind is not None and kind.tensor_type.shape.dim else 0
    heads, shared = number.get("num_heads", 0), number.get("kv_num_heads", 0)
    return _resized(node, types, width * heads // (heads + 2 * shared)) if width and heads else {}


def _resized(node: Any, types: Types, last: int) -> Types:
    from onnx import TypeProto

    kind = types.get(node.input[0])
    if kind is None or not kind.tensor_type.shape.dim:
        return {}
    resized = TypeProto()
    resized.CopyFrom(kind)
    resized.tensor_type.shape.dim[-1].Clear()
    resized.tensor_type.shape.dim[-1].dim_value = last
    return {node.output[0]: resized}


_CONTRIB: dict[str, Callable[[Any, Types], Types]] = {
    "MatMulNBits": _last("N"),
    "GroupQueryAttention": _attention,
    "MultiHeadAttention": _like(0),
    "RotaryEmbedding": _like(0),
    "SimplifiedLayerNormalization": _like(0),
    "SkipSimplifiedLayerNormalization": _like(0),
    "SkipLayerNormalization": _like(0),
    "Gelu": _like(0),
    "FastGelu": _like(0),
    "QuickGelu": _like(0),
    "BiasGelu": _like(0),
}
