"""Injections for the table of faults: bundles and archives as a stranger makes them, with digests that are right."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from onnx import helper, numpy_helper

from edgekit.contract.manifest import seal_digest
from edgekit.data import pretty
from tests.engines.model_faults import Words
from tests.unit.bundle import tiny_bundle
from tests.unit.sources.tiny_models import point_outside

ONNX = "model/portable/model.onnx"


def bundle(
    *, files: dict[str, bytes] | None = None, manifest: Callable[[dict[str, Any]], object] = lambda data: None
) -> Callable[[Path], Words]:
    """A whole bundle with other files, and a manifest that is right about them: what a stranger can seal."""

    def make(folder: Path) -> Words:
        home = tiny(folder)
        data = json.loads((home / "edgekit.json").read_text())
        for path, raw in (files or {}).items():
            (home / path).parent.mkdir(parents=True, exist_ok=True)
            (home / path).unlink(missing_ok=True)
            (home / path).write_bytes(raw)
            entry = {"path": path, "size": len(raw), "sha256": hashlib.sha256(raw).hexdigest(), "role": "model"}
            entry |= {"variant": "portable"} if path.startswith("model/") else {"role": path.partition("/")[0]}
            data["files"] = [one for one in data["files"] if one["path"] != path] + [entry]
        manifest(data)
        (home / "edgekit.json").unlink()
        (home / "edgekit.json").write_text(pretty(data | {"sha256": seal_digest(data)}))
        return ["verify", str(home)]

    return make


def tiny(folder: Path) -> Path:
    """A whole, writable bundle."""
    (folder / "of").mkdir()
    home = folder / tiny_bundle.NAME
    tiny_bundle.build(home, tiny_bundle.origin(folder / "of"))
    for path in [home, *home.rglob("*")]:
        path.chmod(0o755)
    return home


def raw_manifest(content: bytes, size: int = 0) -> Callable[[Path], Words]:
    def make(folder: Path) -> Words:
        home = tiny(folder)
        (home / "edgekit.json").unlink()
        with (home / "edgekit.json").open("wb") as stream:
            stream.write(content)
            stream.truncate(max(size, len(content)))
        return ["verify", str(home)]

    return make


def graph(change: Callable[[Any], object]) -> bytes:
    """The bundle's own graph, changed."""
    tensor = numpy_helper.from_array(np.zeros((96, 96), np.float32), "w")
    point_outside(tensor, "model.onnx.data", 0, 96 * 96 * 4)
    made = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [], [], [tensor])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)])
    change(model)
    return model.SerializeToString()


def outside(location: str) -> bytes:
    def change(model: Any) -> None:
        model.graph.initializer[0].external_data[0].value = location

    return graph(change)


def context(model: Any) -> None:
    node = helper.make_node("EPContext", ["x"], ["z"], embed_mode=0, ep_cache_context="../../../ctx.bin")
    model.graph.node.append(node)


def genai(**decoder: Any) -> dict[str, bytes]:
    document = {"model": {"decoder": {"filename": "model.onnx", **decoder}}, "search": {"max_length": 4}}
    return {"model/portable/genai_config.json": json.dumps(document).encode()}


def npz(folder_of: str = "check", **arrays: bytes) -> dict[str, bytes]:
    """inputs.npz with these members as they are; a name that begins with z is packed."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, raw in arrays.items():
            kind = zipfile.ZIP_DEFLATED if name.startswith("z") else zipfile.ZIP_STORED
            archive.writestr(f"{name}.npy", raw, kind)
    return {f"{folder_of}/inputs.npz": data.getvalue()}


def npy(header: str, data: bytes = b"") -> bytes:
    raw = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(raw)) + raw + data


def zipped(change: Callable[[zipfile.ZipFile], object]) -> Callable[[Path], Words]:
    """The bundle as an archive to which a stranger has added something."""

    def make(folder: Path) -> Words:
        home = tiny(folder)
        with zipfile.ZipFile(folder / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(home.rglob("*")):
                if path.is_file():
                    archive.write(path, path.relative_to(home).as_posix())
            change(archive)
        return ["verify", str(folder / "b.zip")]

    return make


def absurd_directory(folder: Path) -> Words:
    with (folder / "b.zip").open("wb") as stream:
        stream.truncate(2**30)
        stream.seek(2**30)
        stream.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, 2**30, 0, 0))
    return ["verify", str(folder / "b.zip")]


def understated(folder: Path) -> Words:
    """An entry whose directory says 16 bytes and whose data unpacks to more."""
    home = tiny(folder)
    size = (home / "LICENSES" / "LICENSE.txt").stat().st_size
    (home / "LICENSES" / "LICENSE.txt").write_bytes(bytes(10240))
    with zipfile.ZipFile(folder / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(home.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(home).as_posix())
    raw = (folder / "b.zip").read_bytes()
    (folder / "b.zip").write_bytes(raw.replace(struct.pack("<I", 10240), struct.pack("<I", size)))
    return ["verify", str(folder / "b.zip")]


def put(*keys: Any, value: Any) -> Callable[[dict[str, Any]], object]:
    def change(data: dict[str, Any]) -> None:
        at: Any = data
        for key in keys[:-1]:
            at = at[key]
        at[keys[-1]] = value

    return change


def linked_bundle(folder: Path) -> Words:
    home = tiny(folder)
    (home / ONNX).rename(folder / "model.onnx")
    (home / ONNX).symlink_to(folder / "model.onnx")
    return ["verify", str(home)]


def piped_bundle(folder: Path) -> Words:
    home = tiny(folder)
    (home / ONNX).unlink()
    os.mkfifo(home / ONNX)
    return ["verify", str(home)]
