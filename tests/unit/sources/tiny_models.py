"""Models of a few bytes, made by hand so that a test can also make them lie."""

from __future__ import annotations

import json
import zipfile
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZES = {"F32": 4, "BF16": 2, "F16": 2, "I8": 1}
VOCAB, HIDDEN, INNER, LAYERS, HEADS, KV_HEADS = 16, 8, 12, 2, 4, 2


def save_onnx(path: Path, *, external: str | None = None, opset: int = 17, name: str = "x") -> Path:
    """y = relu(x @ w + b) with w of 4x3; w in another file beside it where `external` names one."""
    w = numpy_helper.from_array(np.arange(12, dtype=np.float32).reshape(4, 3), "w")
    b = numpy_helper.from_array(np.ones(3, np.float32), "b")
    nodes = [
        helper.make_node("MatMul", [name, "w"], ["m"]),
        helper.make_node("Add", ["m", "b"], ["a"]),
        helper.make_node("Relu", ["a"], ["y"]),
    ]
    x = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])
    graph = helper.make_graph(nodes, "tiny", [x], [y], [w, b])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    if external is not None:
        (path.parent / external).write_bytes(w.raw_data)
        point_outside(model.graph.initializer[0], external, 0, len(w.raw_data))
    path.write_bytes(model.SerializeToString())
    return path


def point_outside(tensor: Any, location: str, offset: int, length: int) -> None:
    """Let a tensor's data lie in another file."""
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))


def edit_onnx(path: Path, change: Any) -> Path:
    """Save the model again after `change(proto)`."""
    proto = onnx.load(str(path), load_external_data=False)
    change(proto)
    path.write_bytes(proto.SerializeToString())
    return path


def safetensors_bytes(header: dict[str, Any] | bytes, data: bytes = b"") -> bytes:
    """A file with this header, whatever it says."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(raw).to_bytes(8, "little") + raw + data


def layout(shapes: dict[str, tuple[int, ...]], dtype: str = "BF16") -> tuple[dict[str, Any], int]:
    """An honest header for these shapes, and how many bytes of data it asks for."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, shape in shapes.items():
        size = prod(shape) * SIZES[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    return header, at


def save_safetensors(path: Path, shapes: dict[str, tuple[int, ...]], dtype: str = "BF16") -> Path:
    """Zeros of these shapes."""
    header, size = layout(shapes, dtype)
    path.write_bytes(safetensors_bytes(header, bytes(size)))
    return path


def llama_shapes(*, biased: bool = False) -> dict[str, tuple[int, ...]]:
    """The weights of the smallest Llama, embeddings tied; `biased` as Qwen 2 is."""
    head = HIDDEN // HEADS
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (VOCAB, HIDDEN),
        "model.norm.weight": (HIDDEN,),
    }
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        shapes |= {
            f"{at}.self_attn.q_proj.weight": (HEADS * head, HIDDEN),
            f"{at}.self_attn.k_proj.weight": (KV_HEADS * head, HIDDEN),
            f"{at}.self_attn.v_proj.weight": (KV_HEADS * head, HIDDEN),
            f"{at}.self_attn.o_proj.weight": (HIDDEN, HEADS * head),
            f"{at}.mlp.gate_proj.weight": (INNER, HIDDEN),
            f"{at}.mlp.up_proj.weight": (INNER, HIDDEN),
            f"{at}.mlp.down_proj.weight": (HIDDEN, INNER),
            f"{at}.input_layernorm.weight": (HIDDEN,),
            f"{at}.post_attention_layernorm.weight": (HIDDEN,),
        }
        rows = {"q": HEADS * head, "k": KV_HEADS * head, "v": KV_HEADS * head} if biased else {}
        shapes |= {f"{at}.self_attn.{name}_proj.bias": (size,) for name, size in rows.items()}
    return shapes


CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": VOCAB,
    "hidden_size": HIDDEN,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "max_position_embeddings": 64,
    "tie_word_embeddings": True,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
TOKENIZER: dict[str, Any] = {
    "model": {"type": "BPE", "vocab": {f"t{index}": index for index in range(VOCAB - 1)}},
    "added_tokens": [{"id": VOCAB - 1, "content": "<|im_end|>"}],
}


def save_llama(folder: Path, config: dict[str, Any] | None = None) -> Path:
    """A Hugging Face folder of the smallest Llama; `config` changes single settings (None removes one)."""
    folder.mkdir(parents=True, exist_ok=True)
    merged = {key: value for key, value in {**CONFIG, **(config or {})}.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(merged), encoding="utf-8")
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, 3]}), encoding="utf-8")
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER), encoding="utf-8")
    settings = {"eos_token": {"content": "<|im_end|>"}, "chat_template": "{{ messages }}"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    save_safetensors(folder / "model.safetensors", llama_shapes(biased=merged.get("model_type") == "qwen2"))
    return folder


def write_wheel(folder: Path, files: dict[str, bytes], version: str) -> Path:
    """A wheel of the package tiny-model that pip accepts."""
    info = f"tiny_model-{version}.dist-info"
    path = folder / f"tiny_model-{version}-py3-none-any.whl"
    members = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny-model\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/licenses/LICENSE.txt": b"the licence\n",
    }
    record = "".join(f"{name},,\n" for name in [*members, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**members, f"{info}/RECORD": record.encode()}.items():
            archive.writestr(name, data)
    return path
