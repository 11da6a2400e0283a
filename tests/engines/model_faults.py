"""Injections for the table of faults: models on disk that are wrong in one way; each maker returns the command line."""

from __future__ import annotations

import json
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from tests import needs
from tests.unit.sources.tiny_models import (
    TOKENIZER,
    edit_onnx,
    layout,
    llama_shapes,
    point_outside,
    safetensors_bytes,
    save_llama,
    save_onnx,
    write_wheel,
)

Words = list[str]
Change = Callable[[Path], object]


def file(command: str, name: str, content: bytes) -> Callable[[Path], Words]:
    def make(folder: Path) -> Words:
        (folder / name).write_bytes(content)
        return [command, str(folder / name)]

    return make


def onnx_file(change: Change) -> Callable[[Path], Words]:
    """A graph whose weights lie beside it, changed."""

    def make(folder: Path) -> Words:
        change(save_onnx(folder / "m.onnx", external="m.data"))
        return ["build", str(folder / "m.onnx")]

    return make


def elsewhere(location: str, offset: Any = 0, length: int = 48) -> Change:
    """Let the weights lie in another place than the file beside the graph."""

    def change(path: Path) -> None:
        def place(proto: Any) -> None:
            proto.graph.initializer[0].ClearField("external_data")
            point_outside(proto.graph.initializer[0], location, offset, length)

        edit_onnx(path, place)

    return change


def linked(path: Path) -> None:
    data = path.with_name("m.data")
    data.rename(path.parents[1] / "elsewhere.data")
    data.symlink_to(path.parents[1] / "elsewhere.data")


def linked_folder(path: Path) -> None:
    (path.parents[1] / "elsewhere").mkdir()
    path.with_name("m.data").rename(path.parents[1] / "elsewhere" / "m.data")
    (path.parent / "sub").symlink_to(path.parents[1] / "elsewhere", target_is_directory=True)
    elsewhere("sub/m.data")(path)


def in_a_branch(path: Path) -> None:
    """The weight that leads outside lies in a Constant of one branch of an If."""
    tensor = TensorProto(name="c", data_type=1, dims=[4])
    point_outside(tensor, "../../secret", 0, 16)
    value = helper.make_tensor_value_info("r", TensorProto.FLOAT, [4])
    branch = helper.make_graph([helper.make_node("Constant", [], ["r"], value=tensor)], "b", [], [value])

    def place(proto: Any) -> None:
        truth = helper.make_tensor("t", TensorProto.BOOL, [], [True])
        proto.graph.node.append(helper.make_node("Constant", [], ["t"], value=truth))
        proto.graph.node.append(helper.make_node("If", ["t"], ["q"], then_branch=branch, else_branch=branch))

    edit_onnx(path, place)


def functions(depth: int) -> Change:
    """Each function calls the next one twice; the last calls nothing, or the first where depth is 0."""

    def change(path: Path) -> None:
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]

        def call(name: str, given: str, gives: str) -> Any:
            return helper.make_node(name, [given], [gives], domain="own")

        def place(proto: Any) -> None:
            for n in range(depth or 1):
                nodes = [call(f"F{n + 1}", "a", "c"), call(f"F{n + 1}", "c", "b")]
                nodes = nodes if depth else [call("F0", "a", "b")]
                proto.functions.append(helper.make_function("own", f"F{n}", ["a"], ["b"], nodes, opsets))
            last = [helper.make_node("Relu", ["a"], ["b"])]
            proto.functions.append(helper.make_function("own", f"F{depth or 1}", ["a"], ["b"], last, opsets))
            proto.opset_import.append(opsets[1])
            proto.graph.node.append(call("F0", "x", "f"))

        edit_onnx(path, place)

    return change


def shape_of(size: int) -> Change:
    def place(proto: Any) -> None:
        proto.graph.initializer[1].dims[0] = size

    return lambda path: edit_onnx(path, place)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def hf_folder(change: Change) -> Callable[[Path], Words]:
    def make(folder: Path) -> Words:
        change(save_llama(folder / "model"))
        return ["build", str(folder / "model")]

    return make


def config(**settings: Any) -> Change:
    return lambda folder: save_llama(folder, settings)


def text(name: str, content: str | bytes) -> Change:
    raw = content if isinstance(content, bytes) else content.encode()
    return lambda folder: (folder / name).write_bytes(raw)


def weights(content: bytes) -> Change:
    return text("model.safetensors", content)


def header(shapes: dict[str, tuple[int, ...]] | None = None, **entry: Any) -> bytes:
    """A safetensors file whose final norm has a changed entry; its data is as long as the honest header says."""
    honest, size = layout(shapes or llama_shapes())
    honest["model.norm.weight"] |= entry
    return safetensors_bytes(honest, bytes(size))


def remove(*names: str) -> Change:
    return lambda folder: [(folder / name).unlink() for name in names]


def sharded(placed: dict[str, str]) -> Change:
    def change(folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "a.safetensors")
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": placed}))

    return change


def links_out(name: str) -> Change:
    def change(folder: Path) -> None:
        secret = folder.parent / "id_rsa"
        secret.write_text("-----BEGIN PRIVATE KEY-----")
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(secret)

    return change


def merges(*found: Any) -> Change:
    model = {**TOKENIZER["model"], "merges": list(found)}
    return text("tokenizer.json", json.dumps({**TOKENIZER, "model": model}))


def named(name: str) -> bytes:
    return struct.pack("<Q", len(name)) + name.encode()


def gguf_file(body: bytes, size: int = 4096) -> Callable[[Path], Words]:
    """A GGUF of version 3 whose header goes on with these bytes."""

    def make(folder: Path) -> Words:
        (folder / "m.gguf").write_bytes(b"GGUF" + struct.pack("<I", 3) + body + bytes(size))
        return ["build", str(folder / "m.gguf")]

    return make


def gguf_cut(folder: Path) -> Words:
    """Half of a file whose header is whole: what a broken download leaves."""
    pair = named("general.architecture") + struct.pack("<I", 8) + named("llama")
    tensor = named("token_embd.weight") + struct.pack("<IQQIQ", 2, 64, 1024, 0, 0)
    (folder / "m.gguf").write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + pair + tensor + bytes(64 * 1024 * 2))
    return ["build", str(folder / "m.gguf")]


def gguf_vocabulary(token: str) -> Callable[[Path], Words]:
    """A whole llama of one layer with this token in its vocabulary."""

    def make(folder: Path) -> Words:
        gguf = needs.module("gguf")
        writer = gguf.GGUFWriter(folder / "m.gguf", "llama")
        for add, number in (
            (writer.add_context_length, 64),
            (writer.add_embedding_length, 32),
            (writer.add_block_count, 1),
            (writer.add_feed_forward_length, 32),
            (writer.add_head_count, 2),
        ):
            add(number)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_tokenizer_model("llama")
        writer.add_token_list(["<unk>", "<s>", "</s>", token])
        writer.add_token_types([2, 3, 3, 1])
        writer.add_token_scores([0.0] * 4)
        names = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]
        for name in names:
            writer.add_tensor(f"blk.0.{name}.weight", np.zeros((32, 32), np.float32))
        for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
            writer.add_tensor(f"{name}.weight", np.ones(32, np.float32))
        writer.add_tensor("token_embd.weight", np.zeros((4, 32), np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return ["build", str(folder / "m.gguf")]

    return make


def wheel(*members: tuple[str | zipfile.ZipInfo, bytes]) -> Callable[[Path], Words]:
    """A package whose wheel holds a model folder as an archive with these members besides a model."""

    def make(folder: Path) -> Words:
        inner = folder / "inner.zip"
        with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members:
                archive.writestr(name, data)
        (folder / "index").mkdir()
        write_wheel(folder / "index", {"tiny_model/model.zip": inner.read_bytes()}, "1.0")
        inner.unlink()
        return ["build", "pypi:tiny-model==1.0#tiny_model/model.zip"]

    return make


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info
