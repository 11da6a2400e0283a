"""A child that uses more of edgekit than it says, in a way of each kind; what its request asks for."""

from __future__ import annotations

import importlib.util
import os
import runpy
import sys
from pathlib import Path
from typing import Any

from edgekit import registry, used
from edgekit.files import PACKAGE
from edgekit.used import Emit

SOUNDS = PACKAGE / "inputs" / "sounds.py"
TEXT = PACKAGE / "recipes" / "data" / "calibration.txt"


def _under_another_name() -> None:
    spec = importlib.util.spec_from_file_location("other", SOUNDS)
    assert spec is not None and spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def _relative() -> None:
    os.chdir(TEXT.parent)
    Path(TEXT.name).read_text(encoding="utf-8")


WAYS = {
    "nothing": lambda: None,
    "a package": lambda: registry.named("packaging.version"),
    "by a string": lambda: registry.named("edgekit.inputs.sounds"),
    "by __import__": lambda: __import__("edgekit.inputs.sounds"),
    "under another name": _under_another_name,
    "run by its path": lambda: runpy.run_path(str(SOUNDS)),
    "executed": lambda: exec(compile(SOUNDS.read_text(encoding="utf-8"), "x", "exec"), {"__name__": "x"}),
    "data": lambda: TEXT.read_text(encoding="utf-8"),
    "data by a low-level call": lambda: os.close(os.open(TEXT, os.O_RDONLY)),
    "data by a relative path": _relative,
}


def handle(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    WAYS[request["way"]]()
    return {"done": True}


if __name__ == "__main__":
    sys.exit(used.serve(handle, Path(sys.argv[1])))
