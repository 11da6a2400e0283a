"""llama.cpp's side: quantize the same float weights, and compare with the same reference. Run by LLAMA_PYTHON.

python llama_side.py quantize FOLDER TEMPLATE.gguf OUT TYPE...    writes OUT/f32.gguf and OUT/TYPE.gguf; a type with
                                                                   " imatrix" behind it reads OUT/imatrix.npz
python llama_side.py compare FILE.gguf REFERENCE STATS.py          prints {kl: [...], nll: [...], same: [...]}

Needs llama-cpp-python, gguf and safetensors, and nothing of edgekit but the file of its statistics.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import gguf
import llama_cpp
import numpy as np
from llama_names import OUTSIDE, PARTS
from safetensors.numpy import load_file

IMATRIX = " imatrix"  # behind the name of a type that is quantized with an importance matrix


def quantize(folder: Path, template: Path, out: Path, types: list[str]) -> None:
    """The metadata is that of a GGUF of the same model."""
    out.mkdir(parents=True, exist_ok=True)
    plain = out / "f32.gguf"
    if not plain.is_file():
        _write(folder, template, plain)
    for name in types:
        target = out / f"{name}.gguf"
        if target.is_file():
            continue
        params = llama_cpp.llama_model_quantize_default_params()
        params.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{name.removesuffix(IMATRIX)}")
        if name.endswith(IMATRIX):
            weighed = _imatrix(out / "imatrix.npz")
            params.imatrix = weighed
        code = llama_cpp.llama_model_quantize(str(plain).encode(), str(target).encode(), params)
        assert code == 0, f"llama.cpp could not quantize to {name}: {code}"


def _imatrix(file: Path) -> Any:
    """An array of named vectors, ended by one without a name."""
    with np.load(file) as vectors:
        rows = [(name.encode(), np.ascontiguousarray(vectors[name], dtype=np.float32)) for name in vectors.files]
    made = (llama_cpp.llama_model_imatrix_data * (len(rows) + 1))()
    for at, (name, values) in enumerate(rows):
        made[at].name, made[at].size = name, values.size
        made[at].data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    made.kept = rows  # the memory that it points to
    return made


def _write(folder: Path, template: Path, path: Path) -> None:
    reader = gguf.GGUFReader(template)
    writer = gguf.GGUFWriter(path, "llama")
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key in ("general.architecture", "general.file_type"):
            continue
        if field.types[0] == gguf.GGUFValueType.ARRAY:
            writer.add_array(key, field.contents())
        else:
            writer.add_key_value(key, field.contents(), field.types[0])
    heads, pairs = (reader.fields[f"llama.attention.{name}"].contents() for name in ("head_count", "head_count_kv"))
    for key, value in load_file(folder / "model.safetensors").items():
        base = key.removesuffix(".weight")
        values = value.astype(np.float32)
        if base.startswith("model.layers."):
            layer, part = base.split(".", 3)[2:]
            turned = {"self_attn.q_proj": heads, "self_attn.k_proj": pairs}.get(part)
            values = _turned(values, turned) if turned else values
            name = f"blk.{layer}.{PARTS[part]}"
        else:
            name = OUTSIDE[base]
        writer.add_tensor(f"{name}.weight", np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _turned(values: Any, heads: int) -> Any:
    """llama.cpp keeps the two halves of a rotary pair side by side."""
    halves = values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
    return halves.swapaxes(1, 2).reshape(values.shape)


def compare(path: Path, reference: Path, stats_file: Path) -> dict[str, list[Any]]:
    """Each prediction of the reference's windows, as edgekit.quality compares its own."""
    spec = importlib.util.spec_from_file_location("stats", stats_file)
    assert spec is not None and spec.loader is not None
    stats = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(stats)
    windows = json.loads((reference / "windows.json").read_text())
    stored, best = np.load(reference / "logprobs.npy", mmap_mode="r"), np.load(reference / "best.npy")
    longest = max(len(window["ids"]) for window in windows)
    model = llama_cpp.Llama(str(path), n_ctx=longest, n_batch=longest, logits_all=True, n_threads=2, verbose=False)
    found: dict[str, list[Any]] = {"kl": [], "nll": [], "same": []}
    row = 0
    for window in windows:
        ids = window["ids"]
        model.reset()
        model.eval(ids[:-1])
        built = stats.log_softmax(np.array(model.scores[: len(ids) - 1], dtype=np.float32))
        rows = slice(row, row + len(built))
        found["kl"] += stats.kl_divergence(stored[rows].astype(np.float32), built).tolist()
        found["nll"] += (-built[np.arange(len(built)), ids[1:]]).tolist()
        found["same"] += (built.argmax(-1) == best[rows]).tolist()
        row = rows.stop
    return found


if __name__ == "__main__":
    if sys.argv[1] == "quantize":
        quantize(Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]), sys.argv[5:])
    else:
        print(json.dumps(compare(*(Path(word) for word in sys.argv[2:5]))))
