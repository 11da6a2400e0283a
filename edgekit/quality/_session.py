"""The graph of a GenAI folder in a plain ONNX Runtime session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.contract import genai_config
from edgekit.errors import BuildError

TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class Session:
    """The graph of a GenAI folder in a plain ONNX Runtime session: all logits of a text in one run.

    Raises:
        BuildError: a model of several graphs, pruned logits, or an input that is not known.
    """

    def __init__(self, folder: Path, adapter: str | None = None) -> None:
        import onnxruntime

        self._decoder = genai_config.read(folder).model.decoder
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # a third faster on a busy machine
        path = folder / self._decoder.filename
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._past = dict(self._empty_past())
        self._run = onnxruntime.RunOptions()
        if adapter is not None:
            self._worn = onnxruntime.LoraAdapter()  # which the options refer to
            self._worn.Load(adapter)
            self._run.add_active_adapter(self._worn)

    def logits(self, ids: list[int]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """float32 [tokens, vocabulary] of a text that begins here."""
        names = self._decoder.inputs
        count = len(ids)
        known = {
            names.get("input_ids", "input_ids"): np.array([ids], np.int64),
            names.get("attention_mask", "attention_mask"): np.ones((1, count), np.int64),
            names.get("position_ids", "position_ids"): np.arange(count, dtype=np.int64)[None],
        }
        feed = {
            entry.name: known[entry.name] for entry in self._session.get_inputs() if entry.name in known
        } | self._past
        output = self._decoder.outputs.get("logits", "logits")
        values = self._session.run([output], feed, self._run)[0][0]
        if len(values) != count:
            raise _cannot("its graph gives the logits of the last token only")
        return np.asarray(values, dtype=np.float32)

    def _empty_past(self) -> Iterator[tuple[str, Any]]:
        names = self._decoder.inputs
        known = {names.get(name, name) for name in ("input_ids", "attention_mask", "position_ids")}
        for entry in self._session.get_inputs():
            if entry.name in known:
                continue
            if len(entry.shape) != 4 or entry.type not in TYPES:
                raise _cannot(f"its graph has the unknown input {entry.name!r}")
            # [batch, heads, tokens so far, head size]
            yield entry.name, np.zeros((1, entry.shape[1], 0, entry.shape[3]), TYPES[entry.type])


def _cannot(why: str) -> BuildError:
    return BuildError(
        f"the built model's log-probabilities cannot be read: {why}",
        next="build an unpruned single graph to measure it",
    )
