"""What the float source says, computed once in a child and kept in the cache for every recipe and target."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache as once
from functools import partial
from pathlib import Path
from typing import Any

from edgekit import cache, console, files, tools
from edgekit.code import Basis
from edgekit.data import digest, file_digest
from edgekit.extras import require
from edgekit.quality._context import TIMEOUT, GateContext
from edgekit.warm import PASSIVE

SHARES = 0.25, 0.5, 1.0  # of the sample, at each look of a sequential comparison (_sequential.py)
BEFORE, AFTER = 16, 112  # predictions compared on both sides of a place deep in the context
THETAS = 1e4, 1e8  # of the rotary embeddings of published models; the first is what a configuration without one means
ROTARY_TOKENS, ROTARY_WINDOW = 512, 256  # predictions by which rotary settings are judged, and of one piece
LONGROPE = ("longrope", "su", "yarn-longrope")
CHUNK = 2000  # characters; a user's text is cut into documents of this size
ENGINES = ("torch", "transformers", "tokenizers", "peft")
ROOTS = ("edgekit.jobs.reference", "edgekit.jobs.warm", "edgekit.tools", "edgekit.plain")
BASIS = Basis(ROOTS, ("edgekit.quality._reference",), ENGINES)
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather at a place.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Name of the city"},
                "days": {"type": "integer"},
            },
            "required": ["city"],
        },
    },
}


def conversations() -> list[dict[str, Any]]:
    """What the chat template must render as Hugging Face does: one turn, system, several turns, tools."""
    system = {"role": "system", "content": "You answer in one sentence.\nBe kind."}
    user = {"role": "user", "content": "What's the weather like in Zürich?"}
    answer = {"role": "assistant", "content": "It rains, as it did yesterday."}
    again = {"role": "user", "content": "And < tomorrow > & after?\n\n- 晴れ?"}
    return [
        {"name": "one turn", "messages": [user], "tools": None, "add_generation_prompt": True},
        {"name": "system", "messages": [system, user], "tools": None, "add_generation_prompt": True},
        {
            "name": "several turns",
            "messages": [system, user, answer, again],
            "tools": None,
            "add_generation_prompt": True,
        },
        {"name": "answered", "messages": [user, answer], "tools": None, "add_generation_prompt": False},
        {"name": "tools", "messages": [user], "tools": [WEATHER], "add_generation_prompt": True},
    ]


@once
def conformance() -> dict[str, Any]:
    """The conformance strings, with the causes of the mismatches that are known."""
    data: dict[str, Any] = json.loads(files.resource("quality/data/conformance.json").read_text(encoding="utf-8"))
    return data


def strings() -> list[str]:
    """What the tokenizer gate compares: the conformance strings, then the shipped text."""
    return [one["text"] for one in conformance()["strings"]] + shipped_text()


@once
def shipped_text() -> list[str]:
    """The documents that ship with edgekit, in their order."""
    folder = files.resource("quality/data/text")
    return [path.read_text(encoding="utf-8") for path in sorted(folder.iterdir(), key=lambda path: path.name)]


def chat(ctx: GateContext) -> dict[str, Any]:
    """The source's token ids, rendered templates and greedy answers: chat.json of the reference job."""
    said: dict[str, Any] = json.loads(_chat_file(ctx).read_text(encoding="utf-8"))
    return said


def reading(ctx: GateContext, texts: list[dict[str, Any]]) -> dict[str, Any]:
    """What these texts become where the tokenizer's pattern is read as the engine reads it: the job's reading.json."""
    request = {"action": "reading", "texts": texts, "documents": shipped_text()}
    folder = _produce(ctx, request, {}, {})
    told: dict[str, Any] = json.loads((folder / "reading.json").read_text(encoding="utf-8"))
    return told


def rotary(ctx: GateContext) -> tuple[float, float]:
    """Nats a token of the source on short text: as it is, and without its rotary settings."""
    plain = {"rope_scaling": None} | ({"rope_theta": THETAS[0]} if _odd_theta(ctx) else {})
    request = {"action": "rotary", "documents": shipped_text(), "window": _window(ctx, ROTARY_WINDOW), "plain": plain}
    folder = _produce(ctx, request | {"text_tokens": ROTARY_TOKENS}, {}, {})
    told = json.loads((folder / "rotary.json").read_text(encoding="utf-8"))
    return told["given"], told["without"]


def logits(ctx: GateContext, look: int) -> Path:
    """The folder with the source's windows of text and chat that are new at this look, and their log-probabilities."""
    ends = looks(ctx)
    part = [ends[look - 1] if look else 0.0, ends[look]]
    effort = ctx.effort
    return _logits(
        ctx, effort.window, text_tokens=effort.text_tokens, chat_tokens=effort.chat_tokens, deep=[], part=part
    )


def looks(ctx: GateContext) -> tuple[float, ...]:
    """The shares of the sample that are known at each look."""
    return SHARES if ctx.effort.sequential else (1.0,)


def deep_logits(ctx: GateContext, places: list[Deep]) -> Path:
    """As `logits`, at places deep in the context: apart, as these depend on the target's max_length."""
    asked = [{"name": place.name, "start": place.start, "end": place.end} for place in places]
    return _logits(ctx, ctx.effort.window, text_tokens=0, chat_tokens=0, deep=asked)


def _logits(ctx: GateContext, window: int, **asked: Any) -> Path:
    request = {"action": "logits", "documents": documents(ctx.text), "window": _window(ctx, window), **asked}
    spoken = _chat_file(ctx)
    read = {"chat": file_digest(spoken)} if asked["chat_tokens"] else {}
    return _produce(ctx, request, read, {"chat": str(spoken)})


@dataclass(frozen=True)
class Deep:
    """Predictions from `start` to `end` that look back on a long text; end 0, and why, where no bundle text is so long.

    Attributes:
        name: of the place: half_context, sliding_window, longrope.
    """

    name: str
    start: int
    end: int
    why: str = ""


def deep(ctx: GateContext) -> list[Deep]:
    """Where a model may go wrong that is right on short texts: far in its context, and where its attention changes.

    The positions are those that an app can reach: the bundle's max_length is the end. A source changes the LongRoPE
    factors of all positions when a text grows longer than it was first trained for: there, what follows is compared.
    """
    longest = _longest(ctx)
    facts = ctx.source.model.llm
    switch = longrope(ctx)
    places = [("half_context", longest // 2), ("sliding_window", facts.sliding_window if facts else None)]
    found = []
    for name, border in (*places, ("longrope", switch)):
        if border is None:
            continue
        if border + 1 >= longest:
            found.append(Deep(name, 0, 0, f"it is at {border} tokens, the bundle's texts end at {longest}"))
            continue
        start = max(border - BEFORE, 0)
        if switch is not None and start < switch < border + AFTER:
            start = switch
        found.append(Deep(name, start, min(start + BEFORE + AFTER, longest)))
    return found


def _window(ctx: GateContext, most: int) -> int:
    return min(most, _longest(ctx))


def _longest(ctx: GateContext) -> int:
    """Predictions of the longest text that the bundle takes."""
    facts = ctx.source.model.llm
    lengths = [getattr(ctx.contract, "max_length", None), facts.context_length if facts else None]
    return min((length for length in lengths if length), default=ROTARY_WINDOW + 1) - 1


def rope_kind(ctx: GateContext) -> str | None:
    """What config.json does to the rotary embedding ("longrope", "rope_theta 10"); None where it leaves it plain."""
    scaling = _config(ctx).get("rope_scaling") or {}
    kind = scaling.get("rope_type", scaling.get("type"))
    return _odd_theta(ctx) if kind in (None, "default") else str(kind)


def _odd_theta(ctx: GateContext) -> str | None:
    theta = _config(ctx).get("rope_theta")
    if not isinstance(theta, int | float) or isinstance(theta, bool) or THETAS[0] <= theta <= THETAS[1]:
        return None
    return f"rope_theta {theta:g}"


def _config(ctx: GateContext) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((ctx.source.path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config


def longrope(ctx: GateContext) -> int | None:
    """The length, in tokens, beyond which the source changes its rotary factors; None for one that never does."""
    config = _config(ctx)
    scaling = config.get("rope_scaling") or {}
    if rope_kind(ctx) not in LONGROPE:
        return None
    border = config.get("original_max_position_embeddings") or scaling.get("original_max_position_embeddings")
    return int(border) if border else None


def _chat_file(ctx: GateContext) -> Path:
    prompts: list[str] = json.loads(files.resource("quality/data/prompts.json").read_text(encoding="utf-8"))
    request = {
        "action": "chat",
        "strings": strings(),
        "conversations": conversations(),
        "prompts": prompts[:: len(prompts) // ctx.effort.prompts],
        "new_tokens": ctx.effort.new_tokens,
    }
    return _produce(ctx, request, {}, {}) / "chat.json"


def _produce(ctx: GateContext, request: dict[str, Any], inputs: dict[str, str], places: dict[str, str]) -> Path:
    """Run the job, or find its result. `places` are paths: they are not part of the key, `inputs` stand for them."""
    request = {**request, "trust_remote_code": ctx.source.trust_remote_code}
    key = {
        "source": cache.path_digest(ctx.source.path),
        "request": digest(request),
        "inputs": inputs,
        "basis": BASIS.key(),
    }
    what = f"float reference of {ctx.source.model.name} ({request['action']})"
    request |= {"source": str(ctx.source.path.absolute()), **places}
    if ctx.adapter is not None:
        key["adapter"] = cache.path_digest(ctx.adapter.path)
        request["adapter"] = str(ctx.adapter.path.absolute())
        what += f" with {ctx.adapter.facts.name}"
    make = partial(_make, request)
    return cache.produce("gate", key, make, what=what, read=ctx.read, basis=BASIS).path


def _make(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    require("build")
    with console.step(f"float reference ({request['action']})"):
        outcome = tools.job(
            tools.module("edgekit.jobs.reference"),
            {**request, "out": str(folder)},
            folder,
            timeout=TIMEOUT,
            what="the float reference",
            on_event=lambda event: console.tick(str(event.get("text", ""))),
            env={"HF_HUB_OFFLINE": "1", **PASSIVE},
        )
    for name in ("request.json", "outcome.json", "log.txt"):
        (folder / name).unlink(missing_ok=True)
    used: dict[str, Any] = outcome["used"]
    return used


def documents(text: Path | None) -> list[str]:
    """The user's text in pieces, and behind it the shipped text, in case it is short."""
    if text is None:
        return shipped_text()
    with text.open(encoding="utf-8", errors="replace") as stream:
        own = stream.read(64 * CHUNK)
    return [own[start : start + CHUNK] for start in range(0, len(own), CHUNK)] + shipped_text()
