"""The graph of a GenAI folder in a plain ONNX Runtime session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.contract import genai_config
from edgekit.errors import BuildError

TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int8)": np.int8}
LAST_ONLY = "its graph gives the logits of the last token only"
Caches = dict[str, tuple[str, NDArray[Any]]]  # by input: the output that is its next, keys or values of every row


class Session:
    """The graph of a GenAI folder in a plain ONNX Runtime session: all logits of a text in one run.

    Raises:
        BuildError: a model of several graphs, pruned logits, or an input that is not known.
    """

    def __init__(self, folder: Path, adapter: str | None = None, graph: bytes | None = None) -> None:
        """Open it; `graph` is another one of the same folder's weights."""
        import onnxruntime

        self._decoder = genai_config.read(folder).model.decoder
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # a third faster on a busy machine
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
        source = graph or str(folder / self._decoder.filename)
        self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
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
            raise cannot(LAST_ONLY)
        return np.asarray(values, dtype=np.float32)

    @property
    def vocabulary(self) -> int:
        """How many logits a token has."""
        output = self._decoder.outputs.get("logits", "logits")
        size = next(entry.shape[-1] for entry in self._session.get_outputs() if entry.name == output)
        if not isinstance(size, int):
            raise cannot("its graph does not say how large its vocabulary is")
        return size

    def pasts(self) -> Caches:
        """Empty keys and values [1, heads, 0, head size].

        Raises:
            BuildError: some of them have no output of which the configuration says that it is their next.
        """
        pairs: dict[str, str] = {}
        for role in ("key", "value"):
            begins = self._decoder.inputs.get(f"past_{role}_names", f"past_key_values.%d.{role}")
            goes_on = self._decoder.outputs.get(f"present_{role}_names", f"present.%d.{role}")
            pairs |= {begins % layer: goes_on % layer for layer in range(len(self._past))}
        outputs = {entry.name for entry in self._session.get_outputs()}
        if not self._past or any(pairs.get(name) not in outputs for name in self._past):
            raise cannot("its graph has other keys and values than its configuration says")
        return {name: (pairs[name], past) for name, past in self._past.items()}

    def in_place(self, feed: dict[str, NDArray[np.int64]], caches: Caches) -> NDArray[np.float32]:
        """The logits of some rows; keys and values are read from these arrays and written to them.

        Args:
            feed: input_ids, attention_mask and position_ids, of which the graph takes what it knows.
            caches: contiguous, as long as they may become: GroupQueryAttention's shared buffers.
        """
        bound = self._session.io_binding()
        names = {self._decoder.inputs.get(name, name): np.ascontiguousarray(array) for name, array in feed.items()}
        for entry in self._session.get_inputs():
            if entry.name in names:
                bound.bind_cpu_input(entry.name, names[entry.name])
        for name, (output, cache) in caches.items():
            where = ("cpu", 0, cache.dtype.type, cache.shape, cache.ctypes.data)
            bound.bind_input(name, *where)
            bound.bind_output(output, *where)
        bound.bind_output(self._decoder.outputs.get("logits", "logits"), "cpu")
        self._session.run_with_iobinding(bound, self._run)
        return np.asarray(bound.get_outputs()[-1].numpy(), dtype=np.float32)

    def _empty_past(self) -> Iterator[tuple[str, Any]]:
        names = self._decoder.inputs
        known = {names.get(name, name) for name in ("input_ids", "attention_mask", "position_ids")}
        for entry in self._session.get_inputs():
            if entry.name in known:
                continue
            if len(entry.shape) != 4 or entry.type not in TYPES:
                raise cannot(f"its graph has the unknown input {entry.name!r}")
            # [batch, heads, tokens so far, head size]
            yield entry.name, np.zeros((1, entry.shape[1], 0, entry.shape[3]), TYPES[entry.type])


def cannot(why: str) -> BuildError:
    return BuildError(
        f"the built model's log-probabilities cannot be read: {why}",
        next="build an unpruned single graph to measure it",
    )
