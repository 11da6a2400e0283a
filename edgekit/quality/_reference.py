"""What the float source says, computed once in a child and kept in the cache for every recipe and target."""

from __future__ import annotations

import importlib.metadata
import json
from functools import cache as once
from importlib.resources import files
from pathlib import Path
from typing import Any

from edgekit import cache, console, tools
from edgekit.data import digest, file_digest
from edgekit.extras import require
from edgekit.quality._context import TIMEOUT, GateContext

WINDOW = 256  # predictions of one piece of text
CHUNK = 2000  # characters; a user's text is cut into documents of this size
ENGINES = ("torch", "transformers", "tokenizers")
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
    data: dict[str, Any] = json.loads(_data("conformance.json").read_text(encoding="utf-8"))
    return data


def strings() -> list[str]:
    """What the tokenizer gate compares: the conformance strings, then the shipped text."""
    return [one["text"] for one in conformance()["strings"]] + shipped_text()


@once
def shipped_text() -> list[str]:
    """The documents that ship with edgekit, in their order."""
    folder = _data("text")
    return [path.read_text(encoding="utf-8") for path in sorted(folder.iterdir(), key=lambda path: path.name)]


def chat(ctx: GateContext) -> dict[str, Any]:
    """The source's token ids, rendered templates and greedy answers: chat.json of the reference job."""
    said: dict[str, Any] = json.loads(_chat_file(ctx).read_text(encoding="utf-8"))
    return said


def logits(ctx: GateContext) -> Path:
    """The folder with the source's windows and log-probabilities."""
    request = {
        "action": "logits",
        "documents": _documents(ctx.text),
        "window": WINDOW,
        "text_tokens": ctx.effort.text_tokens,
        "chat_tokens": ctx.effort.chat_tokens,
    }
    spoken = _chat_file(ctx)
    return _produce(ctx, request, {"chat": file_digest(spoken)}, {"chat": str(spoken)})


def _chat_file(ctx: GateContext) -> Path:
    prompts: list[str] = json.loads(_data("prompts.json").read_text(encoding="utf-8"))
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
        "code": file_digest(Path(str(files("edgekit"))) / "jobs" / "reference.py"),
        "tools": {name: _version(name) for name in ENGINES},
    }
    what = f"float reference of {ctx.source.model.name} ({request['action']})"
    request |= {"source": str(ctx.source.path.absolute()), **places}
    return cache.produce("gate", key, lambda folder: _make(request, folder), what=what).path


def _make(request: dict[str, Any], folder: Path) -> None:
    require("build")
    with console.step(f"float reference ({request['action']})"):
        tools.job(
            [*tools.python(), "-m", "edgekit.jobs.reference"],
            {**request, "out": str(folder)},
            folder,
            timeout=TIMEOUT,
            what="the float reference",
            on_event=lambda event: console.tick(str(event.get("text", ""))),
            # Threads that spin while they wait make torch up to eight times slower on a machine that is not idle.
            env={"HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"},
        )
    for name in ("request.json", "outcome.json", "log.txt"):
        (folder / name).unlink(missing_ok=True)


def _documents(text: Path | None) -> list[str]:
    """The user's text in pieces, and behind it the shipped text, in case it is short."""
    if text is None:
        return shipped_text()
    with text.open(encoding="utf-8", errors="replace") as stream:
        own = stream.read(64 * CHUNK)
    return [own[start : start + CHUNK] for start in range(0, len(own), CHUNK)] + shipped_text()


def _data(name: str) -> Any:
    return files("edgekit.quality") / "data" / name


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
