"""The child that runs a built language model for the gates: its tokenizer, its answers, its log-probabilities.

A process of its own, because a broken model or an execution provider can abort it. Only the core package is needed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.errors import BuildError
from edgekit.quality import _stats
from edgekit.wrappers.python.protocol import Emit, serve

TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


def run(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Do request["action"] for the GenAI folder request["model"]; files go to request["out"]."""
    return {"tokens": tokens, "render": render, "answers": answers, "logits": logits}[request["action"]](request, emit)


def tokens(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """The runtime's ids of request["strings"], and what it puts before every text."""
    emit("progress", text="tokenizer")
    tokenizer = _tokenizer(request)
    return {
        "ids": [_encode(tokenizer, text) for text in request["strings"]],
        "prefix": _encode(tokenizer, ""),
    }


def render(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """The runtime's rendering of request["conversations"]; {"error": ...} where it refuses."""
    emit("progress", text="chat template")
    tokenizer = _tokenizer(request)
    return {"rendered": [_render(tokenizer, conversation) for conversation in request["conversations"]]}


def answers(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Greedy answers to request["prompts"] (ids), one at a time as an app gets them, at most new_tokens long.

    The runtime leaves the end token out of its sequence: an answer shorter than new_tokens was stopped by one.
    """
    import onnxruntime_genai as og

    model = og.Model(request["model"])
    found = []
    for at, prompt in enumerate(request["prompts"]):
        emit("progress", text=f"answers {at}/{len(request['prompts'])}")
        params = og.GeneratorParams(model)
        params.set_search_options(do_sample=False, max_length=len(prompt) + request["new_tokens"])
        generator = og.Generator(model, params)
        generator.append_tokens(prompt)
        while not generator.is_done():
            generator.generate_next_token()
        found.append([int(token) for token in generator.get_sequence(0)[len(prompt) :]])
    return {"answers": found}


def logits(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Compare the model's log-probabilities with the reference's, prediction by prediction.

    Request: reference (folder of the reference job's `logits`).
    Writes out/compared.npz: kl, nll, nll_source, same_best, window (its index), chat (bool); one entry a prediction.
    """
    reference = Path(request["reference"])
    windows = json.loads((reference / "windows.json").read_text(encoding="utf-8"))
    stored = np.load(reference / "logprobs.npy", mmap_mode="r")
    best = np.load(reference / "best.npy")
    session = Session(Path(request["model"]))
    kl, nll, same = np.empty(len(stored)), np.empty(len(stored)), np.empty(len(stored), bool)
    nonfinite = row = 0
    for window in windows:
        emit("progress", text=f"log-probabilities {row}/{len(stored)}")
        values = session.logits(window["ids"][:-1])[window["start"] :]
        if values.shape[1] != stored.shape[1]:
            raise BuildError(
                f"the built model has {values.shape[1]} entries in its vocabulary, the source {stored.shape[1]}",
                next="the recipe changed the vocabulary: report it",
            )
        nonfinite += int((~np.isfinite(values)).sum())
        true = window["ids"][window["start"] + 1 :]
        for start in range(0, len(values), _stats.BLOCK):
            some = slice(start, start + _stats.BLOCK)
            rows = slice(row, row + len(values[some]))
            built = _stats.log_softmax(values[some])
            kl[rows] = _stats.kl_divergence(stored[rows].astype(np.float32), built)
            nll[rows] = -built[np.arange(len(built)), true[some]]
            same[rows] = built.argmax(-1) == best[rows]
            row = rows.stop
    lengths = [len(window["ids"]) - 1 - window["start"] for window in windows]
    np.savez(
        Path(request["out"]) / "compared.npz",
        kl=kl,
        nll=nll,
        nll_source=np.load(reference / "nll.npy"),
        same_best=same,
        window=np.repeat(np.arange(len(windows)), lengths),
        chat=np.repeat([window["kind"] == "chat" for window in windows], lengths),
    )
    return {"nonfinite": nonfinite}


class Session:
    """The graph of a GenAI folder in a plain ONNX Runtime session: all logits of a text in one run.

    Raises:
        BuildError: a model of several graphs, pruned logits, or an input that is not known.
    """

    def __init__(self, folder: Path) -> None:
        import onnxruntime

        config = json.loads((folder / "genai_config.json").read_text(encoding="utf-8"))["model"]
        self._decoder = config["decoder"]
        if "pipeline" in self._decoder:
            raise _cannot("it is a pipeline of several graphs")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # a third faster on a busy machine
        path = folder / self._decoder["filename"]
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._past = dict(self._empty_past())

    def logits(self, ids: list[int]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """float32 [tokens, vocabulary] of a text that begins here."""
        names = self._decoder["inputs"]
        count = len(ids)
        known = {
            names.get("input_ids", "input_ids"): np.array([ids], np.int64),
            names.get("attention_mask", "attention_mask"): np.ones((1, count), np.int64),
            names.get("position_ids", "position_ids"): np.arange(count, dtype=np.int64)[None],
        }
        feed = {one.name: known[one.name] for one in self._session.get_inputs() if one.name in known} | self._past
        output = self._decoder.get("outputs", {}).get("logits", "logits")
        values = self._session.run([output], feed)[0][0]
        if len(values) != count:
            raise _cannot("its graph gives the logits of the last token only")
        return np.asarray(values, dtype=np.float32)

    def _empty_past(self) -> Iterator[tuple[str, Any]]:
        names = self._decoder["inputs"]
        known = {names.get(name, name) for name in ("input_ids", "attention_mask", "position_ids")}
        for one in self._session.get_inputs():
            if one.name in known:
                continue
            if len(one.shape) != 4 or one.type not in TYPES:
                raise _cannot(f"its graph has the unknown input {one.name!r}")
            # [batch, heads, tokens so far, head size]
            yield one.name, np.zeros((1, one.shape[1], 0, one.shape[3]), TYPES[one.type])


def _cannot(why: str) -> BuildError:
    return BuildError(
        f"the built model's log-probabilities cannot be read: {why}",
        next="build an unpruned single graph to measure it",
    )


def _tokenizer(request: dict[str, Any]) -> Any:
    import onnxruntime_genai as og

    return og.Tokenizer(og.Model(request["model"]))


def _encode(tokenizer: Any, text: str) -> list[int]:
    return [int(token) for token in tokenizer.encode(text)]


def _render(tokenizer: Any, conversation: dict[str, Any]) -> dict[str, str]:
    options = {"tools": json.dumps(conversation["tools"])} if conversation["tools"] else {}
    try:
        text = tokenizer.apply_chat_template(
            json.dumps(conversation["messages"]),
            add_generation_prompt=conversation["add_generation_prompt"],
            **options,
        )
    except Exception as error:  # the engine raises RuntimeError, ValueError or its own kind
        return {"error": str(error).splitlines()[0][:200]}
    return {"text": str(text)}


if __name__ == "__main__":
    sys.exit(serve(run, Path(sys.argv[1])))
