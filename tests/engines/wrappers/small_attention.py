"""The model of small_models.py with an attention layer of ONNX Runtime's own, whose cache is int8."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgekit.sources.facts import kv_cache
from tests.engines.wrappers.small_models import HEAD, HEADS, HIDDEN, VOCABULARY

PASTS = ("past_key_values.0.key", "past_key_values.0.value")


def attend(folder: Path, positions: int, *, int8: bool = True) -> None:
    """Give the model of a folder another graph: GroupQueryAttention with rotated keys, in a cache of that length."""
    proto = graph(positions)
    if int8:
        kv_cache.to_int8(proto, {name: np.full((HEADS, HEAD), 4 / kv_cache.LARGEST, np.float32) for name in PASTS})
    onnx.checker.check_model(proto)
    (folder / "model.onnx").write_bytes(proto.SerializeToString())
    path = folder / "genai_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["search"]["past_present_share_buffer"] = True
    path.write_text(json.dumps(config), encoding="utf-8")


def graph(positions: int, kind: int = TensorProto.FLOAT) -> onnx.ModelProto:
    """One layer over HEADS heads of HEAD channels, all of them rotated."""
    random = np.random.default_rng(5)
    angles = np.arange(positions)[:, None] * 100.0 ** -(np.arange(HEAD // 2) / (HEAD // 2))
    weights = {
        "embed": random.normal(size=(VOCABULARY, HIDDEN)).astype(np.float32),
        "head": random.normal(size=(HIDDEN, VOCABULARY)).astype(np.float32),
        **{name: random.normal(size=(HIDDEN, HIDDEN), scale=0.17).astype(np.float32) for name in ("wq", "wk", "wv")},
        "cos_cache": np.cos(angles).astype(np.float32),
        "sin_cache": np.sin(angles).astype(np.float32),
        "ones": np.array([1], np.int64),
        "at": np.array(1, np.int64),
    }
    node = helper.make_node
    attention = ["q", "k", "v", *PASTS, "seqlens", "total", "cos_cache", "sin_cache"]
    sizes = {"num_heads": HEADS, "kv_num_heads": HEADS, "do_rotary": 1, "local_window_size": -1}
    nodes = [
        node("Gather", ["embed", "input_ids"], ["hidden"]),
        *(node("MatMul", ["hidden", f"w{name}"], [name]) for name in "qkv"),
        node("ReduceSum", ["attention_mask", "ones"], ["lengths"], keepdims=0),
        node("Sub", ["lengths", "ones"], ["last"]),
        node("Cast", ["last"], ["seqlens"], to=TensorProto.INT32),
        node("Shape", ["attention_mask"], ["shape"]),
        node("Gather", ["shape", "at"], ["total_long"]),
        node("Cast", ["total_long"], ["total"], to=TensorProto.INT32),
        node(
            kv_cache.OPERATOR,
            attention,
            ["attended", "present.0.key", "present.0.value"],
            domain="com.microsoft",
            **sizes,
        ),
        node("Add", ["hidden", "attended"], ["mixed"]),
        node("MatMul", ["mixed", "head"], ["logits"]),
    ]
    value = helper.make_tensor_value_info
    shapes = ["b", HEADS, "past", HEAD], ["b", HEADS, "all", HEAD]
    inputs = [
        value(name, TensorProto.INT64, ["b", size]) for name, size in (("input_ids", "n"), ("attention_mask", "t"))
    ]
    outputs = [value("logits", TensorProto.FLOAT, ["b", "n", VOCABULARY])]
    for past in PASTS:
        inputs.append(value(past, kind, shapes[0]))
        outputs.append(value(past.replace("past_key_values", "present"), kind, shapes[1]))
    kept = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    made = helper.make_graph(nodes, "attending", inputs, outputs, kept)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=9)
