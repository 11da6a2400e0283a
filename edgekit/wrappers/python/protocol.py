"""The child's half of the job contract: request.json in, events on the old stdout, outcome.json written last.

Only the standard library: this file is also copied into bundles.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Emit = Callable[..., None]


def serve(handler: Callable[[dict[str, Any], Emit], dict[str, Any]], request: Path) -> int:
    """Run `handler(request, emit)` and write its outcome; returns the exit code for sys.exit.

    An exception that carries `code`, `message` and `next` becomes an {"error": ...} outcome. Any other exception leaves
    a traceback on stderr (the job's log) and no outcome: the parent then knows the child failed. The process also ends,
    without an outcome, after the request's timeout_s seconds (a device's connection may be gone), and on Linux when its
    parent dies.
    """
    _die_with_parent()
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints goes to the log, never between the events

    def emit(kind: str, **fields: Any) -> None:
        events.write(json.dumps({"event": kind, **fields}, ensure_ascii=False) + "\n")
        events.flush()

    asked = json.loads(request.read_text(encoding="utf-8"))
    if limit := asked.get("timeout_s"):
        faulthandler.dump_traceback_later(limit, exit=True)  # needs no turn of the interpreter: an engine may hold it
    try:
        outcome = handler(asked, emit)
    except Exception as error:
        if not hasattr(error, "next"):
            raise
        code = getattr(error, "code", "internal")
        outcome = {"error": {"code": code, "message": str(error), "next": error.next}}
        if axis := getattr(error, "axis", ""):
            outcome["error"]["axis"] = axis
    _write_last(request.with_name("outcome.json"), outcome)
    return 1 if "error" in outcome else 0


def _write_last(path: Path, outcome: dict[str, Any]) -> None:
    aside = path.with_suffix(".part")
    aside.write_text(json.dumps(outcome, ensure_ascii=False), encoding="utf-8")
    aside.replace(path)


def _die_with_parent() -> None:
    """Linux: ask the kernel to kill this process when its parent dies, however it dies."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:  # it died between the two calls
        os._exit(1)
