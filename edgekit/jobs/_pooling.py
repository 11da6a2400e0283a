"""Put what sentence-transformers does behind a net into its ONNX graph: one vector for each text is its only output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.errors import SourceError

OUTPUT = "sentence_embedding"
TOKENS, MASK = "last_hidden_state", "attention_mask"
TINY = 1e-9  # tokens; Pooling.py clamps their number by it
NORM = 1e-12  # torch.nn.functional.normalize
FAR = -1e9  # in place of padding, where the largest value counts


class Chain:
    """Nodes and constants that are put behind the net's."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """The name of what an operator makes."""
        from onnx import helper

        name = f"pooling_{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, values: Any, dtype: str = "float32") -> str:
        """The name of a constant."""
        import numpy as np
        from onnx import numpy_helper

        name = f"pooling_constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name


def append(graph: Path, steps: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Write the graph anew: last_hidden_state [batch, tokens, width] becomes sentence_embedding [batch, size].

    Args:
        steps: as sources.facts.modules says them; the first is a pooling.
        folder: where the weights of dense layers lie.
    """
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load(str(graph), load_external_data=False)
    chain, at, size = Chain(), TOKENS, _width(model)
    for step in steps:
        if step["kind"] == "pooling":
            at, size = _pooled(chain, step["modes"]), size * len(step["modes"])
        elif step["kind"] == "dense":
            at, size = _dense(chain, at, folder / step["weights"], step["activation"])
        else:
            norm = chain.node("ReduceL2", at, chain.constant([1], "int64"), keepdims=1)
            at = chain.node("Div", at, chain.node("Max", norm, chain.constant(NORM)))
    chain.nodes.append(helper.make_node("Identity", [at], [OUTPUT], name=OUTPUT))
    batch = model.graph.input[0].type.tensor_type.shape.dim[0].dim_param or "batch_size"
    model.graph.node.extend(chain.nodes)
    model.graph.initializer.extend(chain.constants)
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [batch, size]))
    graph.write_bytes(model.SerializeToString(deterministic=True))


def _width(model: Any) -> int:
    """Of the token vectors."""
    outputs = {value.name: value for value in model.graph.output}
    if TOKENS not in outputs or MASK not in {value.name for value in model.graph.input}:
        raise SourceError(
            f"the graph has no {TOKENS} and {MASK} to pool", next="export it to ONNX yourself and give the file"
        )
    return int(outputs[TOKENS].type.tensor_type.shape.dim[2].dim_value)


def _pooled(chain: Chain, modes: Sequence[str]) -> str:
    """Each way of pooling, side by side."""
    kept = chain.node("Cast", MASK, to=1)  # [batch, tokens]
    wide = chain.node("Unsqueeze", kept, chain.constant([2], "int64"))
    parts = [_one_way(chain, mode, kept, wide) for mode in modes]
    return parts[0] if len(parts) == 1 else chain.node("Concat", *parts, axis=1)


def _one_way(chain: Chain, mode: str, kept: str, wide: str) -> str:
    tokens = chain.constant([1], "int64")
    if mode == "cls":
        return chain.node("Gather", TOKENS, chain.constant(0, "int64"), axis=1)
    if mode == "max":
        away = chain.node("Mul", chain.node("Sub", chain.constant(1.0), wide), chain.constant(FAR))
        return chain.node("ReduceMax", chain.node("Add", chain.node("Mul", TOKENS, wide), away), tokens, keepdims=0)
    if mode in ("weightedmean", "lasttoken"):
        places = chain.node(
            "CumSum",
            chain.node("Add", chain.node("Mul", kept, chain.constant(0.0)), chain.constant(1.0)),
            chain.constant(1, "int64"),
        )  # 1, 2, 3 ...
        weights = chain.node("Mul", places, kept)
        if mode == "lasttoken":
            last = chain.node("ReduceMax", weights, tokens, keepdims=1)
            weights = chain.node("Cast", chain.node("Equal", places, last), to=1)
        wide = chain.node("Unsqueeze", weights, chain.constant([2], "int64"))
    total = chain.node("ReduceSum", chain.node("Mul", TOKENS, wide), tokens, keepdims=0)
    count = chain.node("Max", chain.node("ReduceSum", wide, tokens, keepdims=0), chain.constant(TINY))
    if mode == "mean_sqrt_len_tokens":
        count = chain.node("Sqrt", count)
    return chain.node("Div", total, count)


def _dense(chain: Chain, at: str, weights: Path, activation: str) -> tuple[str, int]:
    from safetensors.numpy import load_file

    arrays = load_file(str(weights))
    matrix = arrays["linear.weight"]
    at = chain.node("MatMul", at, chain.constant(matrix.T))
    if "linear.bias" in arrays:
        at = chain.node("Add", at, chain.constant(arrays["linear.bias"]))
    if activation == "Gelu":  # opset 18 has none
        half = chain.node("Mul", at, chain.constant(0.5))
        inner = chain.node("Erf", chain.node("Mul", at, chain.constant(2**-0.5)))
        return chain.node("Mul", half, chain.node("Add", inner, chain.constant(1.0))), len(matrix)
    return at if activation == "Identity" else chain.node(activation, at), len(matrix)
