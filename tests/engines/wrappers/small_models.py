"""A language model of 271 tokens and one layer with random weights, as a GenAI folder that really runs.

Its logits depend on the last token and, through the key-value cache, on all before it.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgekit.adapters.graph import Piece, Place, _added

HIDDEN, HEADS, HEAD = 32, 2, 16
MERGES = ["t h", "th e", "Ġ the", "a n", "an d", "i n", "Ġ a", "e r", "o n", "Ã ©", "c a", "ca f"]
SPECIALS = ["<|user|>", "<|assistant|>", "<|end|>"]
TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
TOOLS = "{% if tools %}{{ tools | tojson }}{% endif %}" + TEMPLATE


def vocabulary() -> list[str]:
    """The 256 bytes as GPT-2 writes them, the merges, the special tokens."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    letters = {byte: chr(byte) for byte in plain} | {byte: chr(256 + at) for at, byte in enumerate(others)}
    return [letters[byte] for byte in range(256)] + [merge.replace(" ", "") for merge in MERGES] + SPECIALS


VOCABULARY = len(vocabulary())
END = VOCABULARY - 1


def write_llm(
    folder: Path,
    *,
    max_length: int = 128,
    pruned: bool = False,
    seed: int = 1,
    template: str = TEMPLATE,
    border: int | None = None,
    begins: bool = False,
    adapters: tuple[str, ...] = (),
) -> None:
    """model.onnx, genai_config.json and the tokenizer's files.

    Args:
        pruned: the model gives the logits of the last token only.
        border: the model keeps other keys of a text that is longer, as LongRoPE does.
        begins: the tokenizer puts the end token before a plain text, as GPT-2's family does.
        adapters: files beside it, each of which has the model say nothing but the first two letters of its name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_graph(folder / "model.onnx", pruned, np.random.default_rng(seed), border)
    config = {
        "model": {
            "bos_token_id": END,
            "context_length": max_length,
            "decoder": {
                "session_options": {"log_id": "onnxruntime-genai", "provider_options": []},
                "filename": "model.onnx",
                "head_size": HEAD,
                "hidden_size": HIDDEN,
                "inputs": {
                    "input_ids": "input_ids",
                    "attention_mask": "attention_mask",
                    "past_key_names": "past_key_values.%d.key",
                    "past_value_names": "past_key_values.%d.value",
                },
                "outputs": {
                    "logits": "logits",
                    "present_key_names": "present.%d.key",
                    "present_value_names": "present.%d.value",
                },
                "num_attention_heads": HEADS,
                "num_hidden_layers": 1,
                "num_key_value_heads": HEADS,
            },
            "eos_token_id": [END],
            "pad_token_id": END,
            "type": "llama",
            "vocab_size": VOCABULARY,
        },
        "search": {"do_sample": False, "max_length": max_length, "past_present_share_buffer": False, "top_k": 50},
    }
    _json(folder / "genai_config.json", config)
    _write_tokenizer(folder, template, begins)
    if adapters:
        _write_adapters(folder, adapters)


def _write_adapters(folder: Path, names: tuple[str, ...]) -> None:
    """Whatever the sum of the hidden values is, the logit of one of the two letters is far above."""
    import onnxruntime

    proto = onnx.load(str(folder / "model.onnx"))
    head = next(node for node in proto.graph.node if node.output[0] == "logits")
    place = Place("head", False, HIDDEN, (Piece("head", VOCABULARY),))
    for added in list(_added(proto.graph, head, place)):
        proto.graph.node.append(added)
    (folder / "model.onnx").write_bytes(proto.SerializeToString())
    (folder / "adapters").mkdir()
    letters = vocabulary()
    for name in names:
        down, up = np.zeros((HIDDEN, 2), np.float32), np.zeros((2, VOCABULARY), np.float32)
        down[:, 0], down[:, 1] = 1, -1
        up[:, letters.index(name[0])] = 1e4, -1e4
        up[:, letters.index(name[1])] = -1e4, 1e4
        made = onnxruntime.AdapterFormat()
        values = {"head.lora_A": down, "head.lora_B": up}
        made.set_parameters({key: onnxruntime.OrtValue.ortvalue_from_numpy(value) for key, value in values.items()})
        made.export_adapter(str(folder / "adapters" / f"{name}.onnx_adapter"))


def _write_graph(path: Path, pruned: bool, random: np.random.Generator, border: int | None) -> None:
    weights = {
        "embed": random.normal(size=(VOCABULARY, HIDDEN)).astype(np.float32),
        "head": random.normal(size=(HIDDEN, VOCABULARY)).astype(np.float32),
        "split": np.array([0, 0, HEADS, HEAD], dtype=np.int64),
        "joined": np.array([0, 1, HIDDEN], dtype=np.int64),
        "two": np.array([2], dtype=np.int64),
        "last": np.array([-1], dtype=np.int64),
        "end": np.array([2**31 - 1], dtype=np.int64),
        "one": np.array([1], dtype=np.int64),
        "half": np.array(0.5, dtype=np.float32),
        "border": np.array([border or 0], dtype=np.int64),
        "short": np.array([1.0], dtype=np.float32),
        "long": np.array([-1.5], dtype=np.float32),
    }
    node = helper.make_node
    nodes = [
        node("Gather", ["embed", "input_ids"], ["hidden"]),  # [1, n, HIDDEN]
        *(
            [
                node("Shape", ["attention_mask"], ["shape"]),
                node("Slice", ["shape", "one", "two"], ["total"]),
                node("Greater", ["total", "border"], ["beyond"]),
                node("Where", ["beyond", "long", "short"], ["factor"]),
                node("Mul", ["hidden", "factor"], ["turned"]),
            ]
            if border
            else []
        ),
        node("Reshape", ["turned" if border else "hidden", "split"], ["by_head"]),
        node("Transpose", ["by_head"], ["new"], perm=[0, 2, 1, 3]),
        node("Concat", ["past_key_values.0.key", "new"], ["present.0.key"], axis=2),
        node("Concat", ["past_key_values.0.value", "new"], ["present.0.value"], axis=2),
        node("ReduceMean", ["present.0.key"], ["mean"], axes=[2], keepdims=1),  # over all tokens so far
        node("Transpose", ["mean"], ["mean_by_head"], perm=[0, 2, 1, 3]),
        node("Reshape", ["mean_by_head", "joined"], ["history"]),
        node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        node("ReduceMax", ["mask"], ["alive"], keepdims=0),  # 1: reads the mask
        node("Mul", ["history", "alive"], ["seen"]),
        node("Mul", ["seen", "half"], ["weighed"]),
        node("Add", ["hidden", "weighed"], ["mixed"]),
        *([node("Slice", ["mixed", "last", "end", "one"], ["chosen"])] if pruned else []),
        node("MatMul", ["chosen" if pruned else "mixed", "head"], ["logits"]),
    ]
    cache = ["b", HEADS, "past", HEAD]
    inputs = [
        helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["b", "n"]),
        helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["b", "total"]),
        helper.make_tensor_value_info("past_key_values.0.key", TensorProto.FLOAT, cache),
        helper.make_tensor_value_info("past_key_values.0.value", TensorProto.FLOAT, cache),
    ]
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", 1 if pruned else "n", VOCABULARY]),
        helper.make_tensor_value_info("present.0.key", TensorProto.FLOAT, ["b", HEADS, "all", HEAD]),
        helper.make_tensor_value_info("present.0.value", TensorProto.FLOAT, ["b", HEADS, "all", HEAD]),
    ]
    kept = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "small", inputs, outputs, kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=9)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _write_tokenizer(folder: Path, template: str, begins: bool) -> None:
    words = vocabulary()
    added = [
        {"id": at, "content": words[at], "special": True, "normalized": False}
        | {"single_word": False, "lstrip": False, "rstrip": False}
        for at in range(VOCABULARY - len(SPECIALS), VOCABULARY)
    ]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    model = {
        "type": "BPE",
        "vocab": {word: at for at, word in enumerate(words[: -len(SPECIALS)])},
        "merges": MERGES,
    }
    end = {"SpecialToken": {"id": SPECIALS[-1], "type_id": 0}}
    first, second = ({"Sequence": {"id": name, "type_id": n}} for n, name in enumerate("AB"))
    begin = {
        "type": "TemplateProcessing",
        "single": [end, first],
        "pair": [end, first, second],
        "special_tokens": {SPECIALS[-1]: {"id": SPECIALS[-1], "ids": [END], "tokens": [SPECIALS[-1]]}},
    }
    tokenizer = {
        "version": "1.0",
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": begin if begins else None,
        "decoder": byte_level,
        "model": model,
    }
    _json(folder / "tokenizer.json", tokenizer)
    facts = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": SPECIALS[-1],
        "eos_token": SPECIALS[-1],
        "pad_token": SPECIALS[-1],
        "add_bos_token": begins,
        "clean_up_tokenization_spaces": False,
        "chat_template": template,
    }
    _json(folder / "tokenizer_config.json", facts)


def _json(path: Path, data: object) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1), encoding="utf-8")
