"""The reference job: what the float source itself says. Four actions, each cached by the parent.

Any of them with the adapter request["adapter"] on, which is PEFT's own.

chat    token ids of conformance strings, rendered chat templates, greedy answers to prompts.
rotary  how the source does on text as it is, and without its rotary settings.
reading what texts become where the tokenizer's pattern is read as the engine reads it, and what that costs.
logits  log-probabilities of the next token, teacher-forced over text, over those answers, and deep in the context.

Log-probabilities are stored whole, in float16: against float64 the mean KL of SmolLM2 (0.17) moves by 3e-6, that of a
near-equal pair (3.5e-4) by 3e-6, and no token's by more than 6e-4; the best 256 of 49,152 entries with one
remainder would move it by 7 %. The best token and the likelihood of the true one are kept from float32.
Memory: the float32 weights, or one layer of them where they do not fit (layered.py), and the logits of one pass.
"""

from __future__ import annotations

import inspect
import json
import math
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekit.jobs import answering, engine_reading, layered
from edgekit.used import Emit, serve
from edgekit.wrappers.python.chat import in_message

LOGITS_BYTES = 2**30  # of one pass, where weights are read anew for every pass
CONTROL_TOKEN = re.compile(r"<\|[^|<>\s]+\|>|</?s>|<(?:start|end)_of_\w+>")
PLAIN_ANSWER = "Fine, thank you."


def reference(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Do request["action"] for the Hugging Face folder request["source"] and leave the result in request["out"]."""
    return {"chat": chat, "logits": logits, "reading": reading, "rotary": rotary}[request["action"]](request, emit)


def chat(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Write out/chat.json.

    Request: source, out, trust_remote_code, strings, conversations ({messages, tools, add_generation_prompt}),
    prompts, new_tokens.
    chat.json: ids (of the strings), rendered (text and ids of each conversation, None where the template refuses it or
    takes no tools), template_error (why the template refuses a first conversation; "" where there is none, or it does
    not), control (the template's control tokens), unknown (those that the tokenizer does not have), end_token_id,
    eos_token_ids, prompts and answers (ids), by_layer: the model does not fit in memory, and was asked nothing.
    """
    emit("progress", text="source: loading")
    tokenizer = _tokenizer(request)
    rendered = [_render(tokenizer, conversation) for conversation in request["conversations"]]
    control = {token for one in rendered if one for token in CONTROL_TOKEN.findall(one["text"])}
    model = _load(request, emit)
    eos = _eos_ids(model)
    by_layer = layered.is_by_layer(model)  # every token of an answer would read all weights
    prompts = [_prompt_ids(tokenizer, prompt) for prompt in request["prompts"] if not by_layer]
    found = {
        "ids": [tokenizer(text)["input_ids"] for text in request["strings"]],
        "rendered": rendered,
        "template_error": _refused(tokenizer, request["conversations"][0]),
        "control": sorted(control),
        "unknown": sorted(control - set(tokenizer.get_vocab())),
        "end_token_id": _end_token(tokenizer),
        "eos_token_ids": eos,
        "by_layer": by_layer,
        "prompts": prompts,
        "answers": answering.answers(model, prompts, eos, request["new_tokens"], emit),
    }
    Path(request["out"], "chat.json").write_text(json.dumps(found), encoding="utf-8")
    return {"rendered": sum(one is not None for one in rendered)}


def rotary(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Write out/rotary.json: given and without, nats a token on the first text_tokens of the documents.

    Request: source, out, trust_remote_code, documents, window, text_tokens, plain (what config.json is without them).
    """
    windows = _text_windows(_tokenizer(request), request, 0)
    source, bare = Path(request["source"]), Path(request["out"], "bare")
    bare.mkdir()
    for path in source.iterdir():
        if path.is_file() and path.name != "config.json":
            (bare / path.name).symlink_to(path.resolve())
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    (bare / "config.json").write_text(json.dumps(config | request["plain"]), encoding="utf-8")
    told = {}
    for name, folder in (("given", source), ("without", bare)):
        model = _load(request | {"source": str(folder)}, emit)
        emit("progress", text="source: with and without its rotary settings")
        nll = [
            float(entry.sum()) for some in _passes(windows, model) for _, _, entry in _log_probabilities(model, some)
        ]
        told[name] = sum(nll) / sum(map(_predictions, windows))
    shutil.rmtree(bare)
    Path(request["out"], "rotary.json").write_text(json.dumps(told), encoding="utf-8")
    return {"tokens": sum(map(_predictions, windows))}


def reading(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Write out/reading.json.

    Request: source, out, trust_remote_code, texts ({text, special: with the tokens that begin a text}), documents.
    reading.json: ids, by cause (engine_reading.py) those of each text; tokens, of the documents; touched, of these the
    ones that the engine cuts otherwise; shift, by which share the perplexity of the touched documents moves.
    """
    told: dict[str, Any] = {"ids": {}, "tokens": 0, "touched": 0, "shift": 0.0}
    backend: Any = getattr(_tokenizer(request), "backend_tokenizer", None)
    others = engine_reading.readings(backend) if backend is not None else {}
    for cause, other in others.items():
        told["ids"][cause] = [
            other.encode(entry["text"], add_special_tokens=entry["special"]).ids for entry in request["texts"]
        ]
    pairs = []
    for text in request["documents"] if others else ():
        ours, theirs = backend.encode(text), list(others.values())[-1].encode(text)
        told["tokens"] += len(ours.ids)
        if touched := len(set(ours.offsets) - set(theirs.offsets)):
            told["touched"] += touched
            pairs += [ours.ids, theirs.ids]
    if pairs:
        windows = [{"ids": ids, "start": 0} for ids in pairs]
        model = _load(request, emit)
        emit("progress", text="source: perplexity of the same text in other tokens")
        nll = [
            float(entry.sum()) for some in _passes(windows, model) for _, _, entry in _log_probabilities(model, some)
        ]
        told["shift"] = math.expm1(abs(sum(nll[1::2]) - sum(nll[::2])) / sum(map(_predictions, windows[::2])))
    Path(request["out"], "reading.json").write_text(json.dumps(told), encoding="utf-8")
    return {"causes": len(others)}


def logits(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Write out/windows.json, out/logprobs.npy (float16 [tokens, vocabulary]), out/nll.npy and out/best.npy.

    Request: source, out, trust_remote_code, chat (path of chat.json), documents, window, text_tokens, chat_tokens,
    deep ([{name, start, end}], tokens), part ([from, to], the share of chat and text; or all).
    windows.json: [{ids, start, kind, document}]; the predictions after positions start ... len(ids) - 2 are stored,
    in order. kind is text, chat, or the name of a deep one.
    """
    import numpy as np

    emit("progress", text="source: loading")
    windows = _windows(_tokenizer(request), request)
    model = _load(request, emit)
    tokens = sum(map(_predictions, windows))
    out = Path(request["out"])
    nll, best = np.empty(tokens, np.float32), np.empty(tokens, np.int32)
    stored: Any = None
    row = 0
    for some in _passes(windows, model):
        emit("progress", text=f"source: log-probabilities {row}/{tokens}")
        for half, best_here, nll_here in _log_probabilities(model, some):
            if stored is None:
                shape = (tokens, half.shape[-1])
                stored = np.lib.format.open_memmap(out / "logprobs.npy", "w+", np.float16, shape)
            rows = slice(row, row + len(half))
            stored[rows], best[rows], nll[rows] = half.numpy(), best_here.numpy(), nll_here.numpy()
            row = rows.stop
    stored.flush()
    np.save(out / "nll.npy", nll)
    np.save(out / "best.npy", best)
    (out / "windows.json").write_text(json.dumps(windows), encoding="utf-8")
    return {"tokens": tokens, "vocabulary": stored.shape[1]}


def _log_probabilities(model: Any, windows: list[dict[str, Any]]) -> Iterator[tuple[Any, Any, Any]]:
    """Of each window, in one pass: log-probabilities (float16), best token, -log p of the true one."""
    import torch

    width = max(len(window["ids"]) for window in windows) - 1
    first = min(window["start"] for window in windows)
    ids = torch.tensor([window["ids"][:-1] + [0] * (width + 1 - len(window["ids"])) for window in windows])
    lengths = torch.tensor([[len(window["ids"]) - 1] for window in windows])
    # Padding is on the right, where no earlier position sees it; a window alone needs no mask.
    mask = None if len(windows) == 1 else (torch.arange(width) < lengths).long()
    with torch.inference_mode():
        found = model(input_ids=ids, attention_mask=mask, use_cache=False, **_only_behind(model, first, width)).logits
        found = found[:, found.shape[1] - (width - first) :]
        for values, window in zip(found, windows, strict=True):
            true = torch.tensor(window["ids"][window["start"] + 1 :])
            here = values[window["start"] - first :][: len(true)].float()
            here -= torch.logsumexp(here, -1, keepdim=True)
            best, nll = here.argmax(-1), -here.gather(-1, true[:, None])[:, 0]
            yield here.clamp_(min=-60000).half(), best, nll


def _only_behind(model: Any, first: int, width: int) -> dict[str, Any]:
    """Ask for the logits of positions first ... width - 1 alone, of a model that can be asked."""
    import torch

    can = "logits_to_keep" in inspect.signature(model.forward).parameters
    return {"logits_to_keep": torch.arange(first, width)} if can else {}


def _passes(windows: list[dict[str, Any]], model: Any) -> Iterator[list[dict[str, Any]]]:
    """The windows that are computed together: each alone, or as many as fit where every pass reads the weights."""
    together = 1
    if layered.is_by_layer(model):
        width = max(len(window["ids"]) - window["start"] for window in windows)
        together = max(1, LOGITS_BYTES // (width * model.config.vocab_size * layered.FLOAT32))
    for at in range(0, len(windows), together):
        yield windows[at : at + together]


def _load(request: dict[str, Any], emit: Emit) -> Any:
    model = layered.load(Path(request["source"]), trust_remote_code=request["trust_remote_code"], emit=emit)
    if not request.get("adapter"):
        return model
    from peft import PeftModel

    return PeftModel.from_pretrained(model, request["adapter"]).eval()


def _tokenizer(request: dict[str, Any]) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(request["source"], trust_remote_code=request["trust_remote_code"])


def _eos_ids(model: Any) -> list[int]:
    for config in (model.generation_config, model.config):
        eos = getattr(config, "eos_token_id", None)
        if eos is not None:
            return [eos] if isinstance(eos, int) else list(eos)
    return []


def _render(tokenizer: Any, conversation: dict[str, Any]) -> dict[str, Any] | None:
    """The conversation as the template writes it; None where there is no template or it does not take this one.

    Tools go to the template as Transformers gives them, and into the system message, where Phi-4-mini's looks.
    """
    if tokenizer.chat_template is None:
        return None
    tools = conversation["tools"]
    try:
        text = _apply(tokenizer, conversation, tools)
        if tools is not None and text == _apply(tokenizer, conversation, None):
            given = in_message(tokenizer.chat_template, conversation["messages"], tools)
            text = _apply(tokenizer, conversation | {"messages": given}, None)
            bare = [{key: value for key, value in message.items() if key != "tools"} for message in given]
            if text == _apply(tokenizer, conversation | {"messages": bare}, None):
                return None
    except Exception:  # a template refuses with whatever its raise_exception() raises
        return None
    return {"text": text, "ids": tokenizer(text, add_special_tokens=False)["input_ids"]}


def _refused(tokenizer: Any, conversation: dict[str, Any]) -> str:
    """What the template says of the plainest conversation, where it cannot write even that: it does not compile."""
    if tokenizer.chat_template is None:
        return ""
    try:
        _apply(tokenizer, conversation, conversation["tools"])
    except Exception as error:  # whatever Jinja, or the template's raise_exception(), raises
        return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"
    return ""


def _apply(tokenizer: Any, conversation: dict[str, Any], tools: Any) -> str:
    text: str = tokenizer.apply_chat_template(
        conversation["messages"],
        tools=tools,
        add_generation_prompt=conversation["add_generation_prompt"],
        tokenize=False,
    )
    return text


def _end_token(tokenizer: Any) -> int | None:
    """The token by which the template ends an answer: the first added token behind one."""
    messages = [{"role": "user", "content": "How are you?"}, {"role": "assistant", "content": PLAIN_ANSWER}]
    one = _render(tokenizer, {"messages": messages, "tools": None, "add_generation_prompt": False})
    if one is None or PLAIN_ANSWER not in one["text"]:
        return None
    behind = one["text"].rpartition(PLAIN_ANSWER)[2]
    added = set(tokenizer.get_added_vocab().values()) | set(tokenizer.all_special_ids)
    return next((i for i in tokenizer(behind, add_special_tokens=False)["input_ids"] if i in added), None)


def _prompt_ids(tokenizer: Any, prompt: str) -> list[int]:
    """A prompt as an app gives it to the model: through the chat template, or as plain text where there is none."""
    messages = [{"role": "user", "content": prompt}]
    one = _render(tokenizer, {"messages": messages, "tools": None, "add_generation_prompt": True})
    ids: list[int] = one["ids"] if one else tokenizer(prompt)["input_ids"]
    return ids


def _windows(tokenizer: Any, request: dict[str, Any]) -> list[dict[str, Any]]:
    """The source's own answers up to chat_tokens, text for the rest of chat_tokens + text_tokens, and the deep ones."""
    said = json.loads(Path(request["chat"]).read_text(encoding="utf-8"))
    windows: list[dict[str, Any]] = []
    count = 0
    for at, (prompt, answer) in enumerate(zip(said["prompts"], said["answers"], strict=True)):
        if count < request["chat_tokens"] and len(prompt) > 0:
            windows.append({"ids": prompt + answer, "start": len(prompt) - 1, "kind": "chat", "document": at})
            count += len(answer)
    documents = [tokenizer(text)["input_ids"] for text in request["documents"]]
    windows += _text_windows(tokenizer, request, count)
    windows = _part(windows, *request.get("part", (0, 1)))
    return windows + [_deep_window(documents, **place) for place in request["deep"]]


def _part(windows: list[dict[str, Any]], begin: float, end: float) -> list[dict[str, Any]]:
    """Those of chat, and those of text, that begin within this share of all their predictions."""
    wanted = []
    for kind in ("chat", "text"):
        some = [window for window in windows if window["kind"] == kind]
        whole, before = sum(map(_predictions, some)), 0
        for window in some:
            wanted += [window] * (begin * whole <= before < end * whole)
            before += _predictions(window)
    return wanted


def _text_windows(tokenizer: Any, request: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Pieces of the documents until `count` and they are text_tokens, and chat_tokens where these are asked for."""
    documents = [tokenizer(text)["input_ids"] for text in request["documents"]]
    windows: list[dict[str, Any]] = []
    step, most = request["window"], request["text_tokens"] + request.get("chat_tokens", 0)
    # First the beginning of every document, then the second window of every document, and so on.
    for start in range(0, max(map(len, documents), default=0), step):
        for at, ids in enumerate(documents):
            piece = ids[start : start + step + 1]
            if count < most and len(piece) > step // 8:
                windows.append({"ids": piece, "start": 0, "kind": "text", "document": at})
                count += len(piece) - 1
    return windows


def _deep_window(documents: list[list[int]], name: str, start: int, end: int) -> dict[str, Any]:
    """One long text, the documents one behind the other and again from the first, of which the end is compared."""
    ids = [token for document in documents for token in document]
    ids *= -(-(end + 1) // max(len(ids), 1))
    return {"ids": ids[: end + 1], "start": start, "kind": name, "document": 0}


def _predictions(window: dict[str, Any]) -> int:
    return len(window["ids"]) - 1 - int(window["start"])


if __name__ == "__main__":
    sys.exit(serve(reference, Path(sys.argv[1])))
