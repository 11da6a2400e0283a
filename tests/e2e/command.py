"""edgekit as a user types it, with --json: what the end-to-end tests share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def edgekit(*words: str | Path, code: int = 0) -> dict[str, Any]:
    """Run a command with --json and return its document."""
    return said(*words, codes=(code,))[0]


def said(*words: str | Path, codes: tuple[int, ...] = (0,), **environment: str) -> tuple[dict[str, Any], str]:
    """Run a command with --json; returns its document and what it said on the way."""
    command = [sys.executable, "-m", "edgekit", *map(str, words), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})
    assert done.returncode in codes, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found, done.stderr


def manifest(bundle: Path) -> dict[str, Any]:
    """A bundle's edgekit.json."""
    found: dict[str, Any] = json.loads((bundle / "edgekit.json").read_text(encoding="utf-8"))
    return found


def judged(manifest: dict[str, Any]) -> dict[str, Any]:
    """What the gate found of the one variant that it judged."""
    [quality] = manifest["quality"].values()
    return dict(quality)
