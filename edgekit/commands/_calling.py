"""A conversation in which a model calls functions: a program answers each call, and the model reads what it said."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Sequence
from typing import Any

ROUNDS = 8  # answers that call functions, before the last one must be text
SHOWN = 200  # characters of a program's last words

Ask = Callable[[dict[str, Any]], dict[str, Any]]


def command(text: str | None) -> list[str] | None:
    """The words of --call; None where it is not given.

    Raises:
        UsageError: no such program.
    """
    from edgekit.errors import UsageError

    if text is None:
        return None
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"--call cannot be read: {error}", next="write it as in a shell") from None
    if not words or shutil.which(words[0]) is None:
        raise UsageError(f"--call: there is no program {words[0] if words else ''!r}", next="give the path of one")
    return words


def converse(ask: Ask, request: dict[str, Any], program: Sequence[str] | None, timeout: float) -> None:
    """Ask, answer the calls in the answer and ask again, until an answer calls nothing.

    Args:
        ask: shows an answer and returns its outcome.
        request: with its messages.
        program: without one, the calls of the first answer are all.
        timeout: seconds that the program has for each call.
    """
    from edgekit import console

    for at in range(ROUNDS):
        outcome = ask(request)
        calls = outcome.get("calls") or []
        if not calls or program is None:
            return
        called = [{"type": "function", "function": call} for call in calls]
        said = [{"role": "tool", "name": call["name"], "content": _run(program, call, timeout)} for call in calls]
        for result in said if console.json_mode() else ():
            console.event({"event": "result", "name": result["name"], "text": result["content"]})
        messages = [*request["messages"], {"role": "assistant", "content": "", "tool_calls": called}, *said]
        # A call that was required was made; the last answer may be what it likes.
        request = request | {"messages": messages, "call": "unguided" if at == ROUNDS - 2 else "auto"}
    console.warn(f"the model went on calling functions; it was stopped after {ROUNDS} answers")


def _run(program: Sequence[str], call: dict[str, Any], timeout: float) -> str:
    """What the program says to a call; how it failed is told to the model too."""
    from edgekit import console, tools
    from edgekit.errors import EdgekitError

    try:
        done = tools.run(program, timeout=timeout, stdin=json.dumps(call, ensure_ascii=False).encode())
    except (EdgekitError, OSError) as error:
        failed = getattr(error, "message", None) or str(error)
    else:
        if done.returncode == 0:
            return done.stdout.strip()
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:SHOWN]
        failed = f"it ended with {done.returncode}: {last}"
    console.warn(f"--call failed for {call['name']}: {failed}")
    return json.dumps({"error": failed}, ensure_ascii=False)
