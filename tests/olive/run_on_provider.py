"""Run a GenAI folder's graph in a session of one provider: python run_on_provider.py FOLDER EP IDS.npy OUT.npy

Writes the logits of a text of token ids, float32 [tokens, vocabulary]. It is read in pieces: SwiftShader's subgroups
have four lanes, and the WebGPU provider's flash attention, which takes 32 tokens and more at once, is wrong on it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from edgekit import ep

PIECE = 16  # tokens
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


def logits(folder: Path, name: str, ids: Any) -> Any:
    """Of ids; what the provider leaves goes to the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if name != "cpu":
        ep.attach(options, name, {})
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)
    shapes = {one.name: one for one in session.get_inputs()}
    past = {
        key: np.zeros((1, one.shape[1], 0, one.shape[3]), TYPES[one.type])
        for key, one in shapes.items()
        if key.startswith("past_key_values")
    }
    names = ["logits", *(key.replace("past_key_values", "present") for key in past)]
    rows = []
    for start in range(0, len(ids), PIECE):
        piece = np.asarray(ids[start : start + PIECE], np.int64)
        known = {
            "input_ids": piece[None],
            "attention_mask": np.ones((1, start + len(piece)), np.int64),
            "position_ids": np.arange(start, start + len(piece), dtype=np.int64)[None],
        }
        found = session.run(names, {key: value for key, value in known.items() if key in shapes} | past)
        rows.append(found[0][0].astype(np.float32))
        past = dict(zip(past, found[1:], strict=True))
    return np.concatenate(rows)


if __name__ == "__main__":
    folder, name, ids, out = sys.argv[1:]
    np.save(out, logits(Path(folder), name, np.load(ids)))
