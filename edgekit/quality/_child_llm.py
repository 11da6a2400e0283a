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

from edgekit.contract import genai_config
from edgekit.errors import BuildError
from edgekit.quality import _batch, _stats
from edgekit.quality._pipeline import Pipeline, is_pipeline
from edgekit.quality._session import Session
from edgekit.wrappers.python import chat
from edgekit.wrappers.python.chat import template_of
from edgekit.wrappers.python.protocol import Emit, serve
from edgekit.wrappers.python.text import begun

WITNESSES = 4  # answers of the engine beside those of the plain session
# Threads that spin between two tokens take half of the CPU seconds of decoding, and change no value.
_IDLE = {"model": {"decoder": {"session_options": {"session.intra_op.allow_spinning": "0"}}}}
LEAD = 8  # tokens that are generated before the first prediction that is compared


def run(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Do request["action"] for the GenAI folder request["model"]; files go to request["out"]."""
    actions = {
        "tokens": tokens,
        "render": render,
        "answers": answers,
        "logits": logits,
        "deep": deep,
        "simulated": simulated,
        "guided": guided,
    }
    return actions[request["action"]](request, emit)


def tokens(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """The runtime's ids of request["strings"], and what the engine itself puts before every text.

    The first request["plain"] of them begin with request["prefix"].
    """
    emit("progress", text="tokenizer")
    tokenizer = _tokenizer(request)
    ids = [_encode(tokenizer, text) for text in request["strings"]]
    plain = request.get("plain", 0)
    ids[:plain] = [begun(some, request["prefix"]) for some in ids[:plain]]
    return {"ids": ids, "prefix": _encode(tokenizer, "")}


def render(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """The runtime's rendering of request["conversations"]; {"error": ...} where it refuses."""
    emit("progress", text="chat template")
    tokenizer = _tokenizer(request)
    template = template_of(Path(request["model"]))
    return {"rendered": [_render(tokenizer, template, conversation) for conversation in request["conversations"]]}


def answers(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Greedy answers to request["prompts"] (ids), at most new_tokens long; how many the engine itself gave.

    A plain session answers all at once. The engine answers some of them, the shortest to the longest, as an app gets
    them: where it says another token than the session, or the session cannot run the graph, it answers every one.
    """
    prompts: list[list[int]] = request["prompts"]
    said = _together(request, emit)
    order = sorted(range(len(said)), key=lambda at: len(said[at]))
    witnesses = {order[round(at * (len(order) - 1) / (WITNESSES - 1))] for at in range(WITNESSES)} if order else set()
    spoken: dict[int, list[int]] = {}
    model, window = _opened(request), _window(request)
    for at in [*sorted(witnesses), *(at for at in range(len(prompts)) if at not in witnesses)]:
        if len(spoken) == len(witnesses) and said and all(said[same] == ids for same, ids in spoken.items()):
            break
        emit("progress", text=f"answers {at}/{len(prompts)}, one at a time")
        spoken[at] = _answer(model, prompts[at], window, request)
    return {"answers": [spoken[at] if at in spoken else said[at] for at in range(len(prompts))], "spoken": len(spoken)}


def _together(request: dict[str, Any], emit: Emit) -> list[list[int]]:
    """The answers by a plain session; none where it cannot run the graph so."""
    folder = Path(request["model"])
    if is_pipeline(folder):
        return []
    emit("progress", text=f"answers, {len(request['prompts'])} at a time")
    try:
        ends = genai_config.read(folder).model.ends
        session = Session(folder, request.get("adapter"))
        return list(_batch.answers(session, request["prompts"], ends, request["new_tokens"]))
    except Exception as error:  # ONNX Runtime's are of no common kind; a broken graph breaks the engine too
        emit("progress", text=f"answers one at a time: {str(error).splitlines()[0][:200]}")
        return []


def _answer(model: Any, prompt: list[int], window: int, request: dict[str, Any]) -> list[int]:
    """The engine's answer. It leaves the end token out: one shorter than new_tokens was stopped by one."""
    import onnxruntime_genai as og

    params = og.GeneratorParams(model)
    begin = _filled(len(prompt), window)
    params.set_search_options(do_sample=False, repetition_penalty=1.0, max_length=begin + request["new_tokens"])
    generator = _generator(model, params, request)
    generator.append_tokens(prompt)
    while not generator.is_done():
        generator.generate_next_token()
    return [int(token) for token in generator.get_sequence(0)[begin:]]


def _window(request: dict[str, Any]) -> int:
    """Tokens that a static graph takes at a time; 1 for any other."""
    folder = Path(request["model"])
    return Pipeline(folder).window if is_pipeline(folder) else 1


def _filled(tokens: int, window: int) -> int:
    """The length of a prompt after the runtime has filled it up to whole windows."""
    return -(-tokens // window) * window


def guided(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Greedy answers that must fit a JSON schema, as the runtime's guidance has it.

    Request: cases ({conversation, schema}), new_tokens.
    Returns: answers, of each case {text, ended} or {error}; ended is False where new_tokens were not enough.
    """
    import onnxruntime_genai as og

    model = _opened(request)
    tokenizer = og.Tokenizer(model)
    template = template_of(Path(request["model"]))
    found = []
    for at, case in enumerate(request["cases"]):
        emit("progress", text=f"structured answers {at}/{len(request['cases'])}")
        rendered = _render(tokenizer, template, case["conversation"])
        found.append(rendered if "error" in rendered else _guided(model, tokenizer, rendered["text"], case, request))
    return {"answers": found}


def _guided(model: Any, tokenizer: Any, prompt: str, case: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    import onnxruntime_genai as og

    ids = tokenizer.encode(prompt)
    begin = _filled(len(ids), _window(request))
    params = og.GeneratorParams(model)
    params.set_search_options(do_sample=False, repetition_penalty=1.0, max_length=begin + request["new_tokens"])
    try:
        params.set_guidance("json_schema", json.dumps(case["schema"]))
        generator = og.Generator(model, params)
        generator.append_tokens(ids)
        while not generator.is_done():
            generator.generate_next_token()
    except RuntimeError as error:
        return {"error": str(error).splitlines()[0][:200]}
    answer = generator.get_sequence(0)[begin:]
    return {"text": str(tokenizer.decode(answer)), "ended": len(answer) < request["new_tokens"]}


def logits(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Compare the model's log-probabilities with the reference's, prediction by prediction.

    Request: reference (folder of the reference job's `logits`).
    Writes out/compared.npz: kl, nll, nll_source, same_best, document (its number), chat (bool); one entry a prediction.
    """
    reference = _Reference(Path(request["reference"]))
    folder = Path(request["model"])
    session: Any = Pipeline(folder) if is_pipeline(folder) else Session(folder, request.get("adapter"))
    columns: dict[str, list[Any]] = {"kl": [], "nll": [], "same_best": [], "nll_source": [], "document": [], "chat": []}
    nonfinite = done = 0
    for window, row in reference.windows("text", "chat"):
        emit("progress", text=f"log-probabilities {done}/{len(reference.stored)}")
        values = session.logits(window["ids"][:-1])[window["start"] :]
        nonfinite += int((~np.isfinite(values)).sum())
        found = reference.compare(window, row, values)
        done += len(values)
        spoken = window["kind"] == "chat"
        number = 2 * window["document"] + spoken  # the same at every look
        found |= {"document": np.full(len(values), number), "chat": np.full(len(values), spoken)}
        for name, column in columns.items():
            column.append(found[name])
    joined = {name: np.concatenate(column) for name, column in columns.items()}
    np.savez(Path(request["out"]) / "compared.npz", **joined)  # type: ignore[arg-type]  # numpy's stub of **kwds
    return {"nonfinite": nonfinite}


def deep(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Compare far in the context, by the way an app goes there: a long prompt, then token by token.

    Request: reference (folder of the reference job's `logits`, of deep places), switch (length beyond which the source
    changes its rotary factors, or None).
    Returns: kl, {name of the place: KL of each prediction}; None where the runtime's values are not finite.
    """
    reference = _Reference(Path(request["reference"]))
    folder = Path(request["model"])
    static = Pipeline(folder) if is_pipeline(folder) else None  # the same graphs read the prompt and what follows
    model = None if static else _opened(request)
    found: dict[str, list[float] | None] = {}
    for window, row in reference.windows():
        emit("progress", text=f"{window['kind']}: after {window['start']} tokens")
        if static is not None:
            values = static.logits(window["ids"][:-1])[window["start"] :]
        else:
            values = _spoken(model, window["ids"], window["start"], request["switch"])
        finite = bool(np.isfinite(values).all())
        found[window["kind"]] = reference.compare(window, row, values)["kl"].tolist() if finite else None
    return {"kl": found}


def simulated(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Compare a compiled pipeline's log-probabilities, on the accelerator's simulator, with the reference's.

    The simulator takes seconds for a window, so some pieces of text and of the source's answers are taken, each up to
    the end of the window its first prediction is in. The last token of each is run by the graphs for one token too.

    Request: reference, ep_options (with the simulated chip), pieces (of text and of chat, each).
    Returns: kl, same_best (each prediction), prefixes (of answers: predictions until the first that differs),
    token_kl (KL of the graphs for one token from those for a window, each piece), nonfinite.
    """
    reference = _Reference(Path(request["reference"]))
    pipeline = Pipeline(Path(request["model"]), request["ep_options"])
    found: dict[str, Any] = {"kl": [], "same_best": [], "prefixes": [], "token_kl": [], "nonfinite": 0}
    for kind in ("text", "chat"):
        windows = list(reference.windows(kind))
        for window, row in windows[:: max(1, len(windows) // request["pieces"])][: request["pieces"]]:
            emit("progress", text=f"simulated: {len(found['kl'])} predictions")
            end = _filled(window["start"] + 1, pipeline.window)
            ids = window["ids"][: end + 1]
            values = pipeline.logits(ids[:-1])
            found["nonfinite"] += int((~np.isfinite(values)).sum())
            found["token_kl"].append(_one_token(pipeline, ids[:-1], values[-1]))
            compared = reference.compare({**window, "ids": ids}, row, values[window["start"] :])
            found["kl"] += compared["kl"].tolist()
            found["same_best"] += compared["same_best"].tolist()
            if kind == "chat":
                same = compared["same_best"]
                found["prefixes"].append(int(len(same) if same.all() else same.argmin()))
    return found


def _one_token(pipeline: Pipeline, ids: list[int], values: Any) -> float:
    """KL of the last token's prediction by the graphs for one token from `values`, by those for a window."""
    pipeline.rewind(1)
    both = [_stats.log_softmax(one.reshape(1, -1).copy()) for one in (values, pipeline.extend(ids[-1:], token=True))]
    return float(_stats.kl_divergence(*both)[0])


def _spoken(model: Any, ids: list[int], start: int, switch: int | None) -> Any:
    """The logits after each token from position `start` on, where the runtime itself generates ids, token by token.

    Each token is put in its mouth: all logits but one are lowered. Only generating (and neither appending nor asking
    for the logits) makes the runtime compute a LongRoPE text anew when it grows beyond `switch`: that one token is its
    own, and is taken back.
    """
    import onnxruntime_genai as og

    first = max(start + 1 - LEAD, 1)
    params = og.GeneratorParams(model)
    params.set_search_options(do_sample=False, max_length=len(ids) + 1)
    generator = og.Generator(model, params)
    generator.append_tokens(ids[:first])
    rows = []
    for length in range(first, len(ids)):
        token = ids[length]
        if switch is not None and length == switch + 1:
            generator.generate_next_token()
            values = np.array(generator.get_output("logits"), dtype=np.float32)
            if int(generator.get_next_tokens()[0]) != token:
                generator.rewind_to(length)
                generator.append_tokens([token])
        else:
            values = np.array(generator.get_logits(), dtype=np.float32)
            lowered = np.full(values.shape, -1e9, np.float32)
            lowered[..., token] = 0
            generator.set_logits(lowered)
            generator.generate_next_token()
        if length > start:
            rows.append(values.reshape(-1, values.shape[-1])[-1])
    return np.stack(rows)


class _Reference:
    """What the source said: windows, and for each of their predictions its log-probabilities."""

    def __init__(self, folder: Path) -> None:
        self._windows = json.loads((folder / "windows.json").read_text(encoding="utf-8"))
        self.stored = np.load(folder / "logprobs.npy", mmap_mode="r")
        self._best = np.load(folder / "best.npy")
        self._nll = np.load(folder / "nll.npy")

    def windows(self, *kinds: str) -> Iterator[tuple[dict[str, Any], int]]:
        """Each window of these kinds (or all) and the row of its first prediction."""
        row = 0
        for window in self._windows:
            if not kinds or window["kind"] in kinds:
                yield window, row
            row += len(window["ids"]) - 1 - window["start"]

    def compare(self, window: dict[str, Any], row: int, values: Any) -> dict[str, Any]:
        """kl, nll, nll_source and same_best of a window's predictions, from the built model's logits (overwritten)."""
        if values.shape[1] != self.stored.shape[1]:
            raise BuildError(
                f"the built model has {values.shape[1]} entries in its vocabulary, the source {self.stored.shape[1]}",
                next="the recipe changed the vocabulary: report it",
            )
        true = np.asarray(window["ids"][window["start"] + 1 :])
        count = len(true)
        kl, nll, same = np.empty(count), np.empty(count), np.empty(count, bool)
        for start in range(0, count, _stats.BLOCK):
            rows = slice(start, min(start + _stats.BLOCK, count))
            built = _stats.log_softmax(values[rows])
            kl[rows] = _stats.kl_divergence(self.stored[row + start : row + rows.stop].astype(np.float32), built)
            nll[rows] = -built[np.arange(len(built)), true[rows]]
            same[rows] = built.argmax(-1) == self._best[row + start : row + rows.stop]
        return {"kl": kl, "nll": nll, "same_best": same, "nll_source": self._nll[row : row + count]}


def _opened(request: dict[str, Any]) -> Any:
    """The model on the CPU, whatever execution provider it was built for."""
    import onnxruntime_genai as og

    config = og.Config(request["model"])
    config.clear_providers()
    config.overlay(json.dumps(_IDLE))
    return og.Model(config)


def _generator(model: Any, params: Any, request: dict[str, Any]) -> Any:
    """A generator, with the adapter on that the request names."""
    import onnxruntime_genai as og

    generator = og.Generator(model, params)
    if request.get("adapter"):
        adapters = og.Adapters(model)
        adapters.load(request["adapter"], "worn")
        generator.set_active_adapter(adapters, "worn")
    return generator


def _tokenizer(request: dict[str, Any]) -> Any:
    import onnxruntime_genai as og

    return og.Tokenizer(_opened(request))


def _encode(tokenizer: Any, text: str) -> list[int]:
    return [int(token) for token in tokenizer.encode(text)]


def _render(tokenizer: Any, template: str | None, conversation: dict[str, Any]) -> dict[str, str]:
    """As the Python runtime renders it."""
    tools, answer = conversation["tools"] or (), conversation["add_generation_prompt"]
    try:
        text = chat.render(tokenizer, template or "", conversation["messages"], tools, answer=answer)
    except Exception as error:  # the engine raises RuntimeError, ValueError or its own kind
        return {"error": str(error).splitlines()[0][:200]}
    return {"text": text}


if __name__ == "__main__":
    sys.exit(serve(run, Path(sys.argv[1])))
