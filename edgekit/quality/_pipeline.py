"""A static language model (GenAI's decoder-pipeline) in plain sessions: all logits of a text, window by window.

Each window is written into the key-value cache where the text before it ends. The last one is filled up behind its
tokens, where causal attention does not see it and the next tokens overwrite it; GenAI counts that padding as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.contract import genai_config
from edgekit.ep import attach
from edgekit.errors import BuildError

Array = NDArray[Any]
PROMPT, TOKEN = "run_on_token_gen", "run_on_prompt"  # layers of a kind say in which phase they do not run
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


def is_pipeline(folder: Path) -> bool:
    """True where a GenAI folder holds several graphs that run one behind the other."""
    return genai_config.there(folder) and bool(genai_config.read(folder).model.decoder.pipeline)


class Pipeline:
    """The parts of a pipeline, each in a session that is opened when it first runs.

    Args:
        folder: of genai_config.json.
        ep_options: with them the layers run on QNN (its simulator, on this machine), and what it leaves on the CPU.

    Raises:
        BuildError: no pipeline with a window, or a key-value cache of an unknown type.
    """

    def __init__(self, folder: Path, ep_options: Mapping[str, str] | None = None) -> None:
        model = genai_config.read(folder).model
        decoder = model.decoder
        if not decoder.pipeline or decoder.sliding_window is None:
            raise BuildError(f"{folder.name} is no static pipeline", next="report the recipe that made it")
        self.window = decoder.sliding_window.window_size
        self._folder, self._options = folder, ep_options
        self._parts = decoder.parts
        self._cache_shape = (1, decoder.num_key_value_heads, 0, decoder.head_size)
        self._padding = model.pad_token_id
        self._sessions: dict[str, Any] = {}
        self._cache: dict[str, Array] = {}
        self._past = 0

    def logits(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """float32 [tokens, vocabulary] of a text that begins here."""
        self.begin(len(ids))
        return np.concatenate([self.extend(ids[at : at + self.window]) for at in range(0, len(ids), self.window)])

    def begin(self, tokens: int) -> None:
        """Forget the text so far; the next will have at most `tokens`."""
        batch, heads, _, size = self._cache_shape
        length = -(-tokens // self.window) * self.window
        inputs = [one for name in self._parts if self._is(name, PROMPT) for one in self._session(name).get_inputs()]
        past = [one for one in inputs if one.name.startswith("past_key_values")]
        self._cache = {one.name: np.zeros((batch, heads, length, size), _type(one)) for one in past}
        self._past = 0

    def rewind(self, tokens: int) -> None:
        """Take the last tokens of the text back."""
        self._past -= tokens

    def extend(self, ids: Sequence[int], *, token: bool = False) -> NDArray[np.float32]:
        """float32 [len(ids), vocabulary] of at most a window more text.

        Args:
            token: run the graphs that take one token at a time; `ids` is one.
        """
        width = 1 if token else self.window
        values: dict[str, Array] = {
            "input_ids": np.array([[*ids, *[self._padding] * (width - len(ids))]], np.int64),
            "past_seq_len": np.array([[self._past + width - 1]], np.int32),
            "total_seq_len": np.array(self._past + width, np.int32),
        }
        for name in self._parts:
            if not self._is(name, PROMPT if token else TOKEN):
                self._run(name, values)
        self._past += len(ids)
        return np.asarray(values["logits"][0, : len(ids)], np.float32)

    def _run(self, name: str, values: dict[str, Array]) -> None:
        session = self._session(name)
        names = [one.name for one in session.get_outputs()]
        feed = {one.name: self._cache.get(one.name, values.get(one.name)) for one in session.get_inputs()}
        for output, array in zip(names, session.run(names, feed), strict=True):
            if output.startswith("present"):
                self._cache[output.replace("present", "past_key_values", 1)] = array
            else:
                values[output] = array

    def _is(self, name: str, kind: str) -> bool:
        """True for layers of this kind (PROMPT, TOKEN); embeddings and lm_head are of neither."""
        return kind in self._parts[name].model_fields_set

    def _session(self, name: str) -> Any:
        import onnxruntime

        if name not in self._sessions:
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            providers = ["CPUExecutionProvider"]
            if self._options is not None and (self._is(name, PROMPT) or self._is(name, TOKEN)):
                attach(options, "qnn", self._options)
                providers = []
            path = self._folder / self._parts[name].filename
            self._sessions[name] = onnxruntime.InferenceSession(str(path), options, providers=providers)
        return self._sessions[name]


def _type(one: Any) -> Any:
    if one.type not in TYPES:
        raise BuildError(f"the cache {one.name} is of {one.type}", next="report the recipe that made it")
    return TYPES[one.type]
