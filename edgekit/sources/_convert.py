"""Conversions that need torch: run once in a child process, kept in the cache."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from edgekit import cache, tools
from edgekit.data import digest, file_digest
from edgekit.extras import require
from edgekit.sources.source import Emit

# What the bytes of a converted model depend on.
ENGINES = ("torch", "transformers", "optimum", "optimum-onnx", "onnx", "gguf", "safetensors", "numpy")
TIMEOUT = 2 * 3600.0  # seconds
MODEL, OUTCOME = "model", "outcome.json"


def convert(
    job: str, source: Path, sha256: str, options: Mapping[str, Any], *, what: str, emit: Emit
) -> tuple[Path, dict[str, Any]]:
    """Run edgekit.jobs.<job> on `source`, or find its result: the folder it filled and what it reported.

    Args:
        sha256: of `source`.
        options: plain JSON, handed to the job beside "source" and "out".
        what: words for progress and for `edgekit cache show`.
    """
    key = {"job": job, "code": _code(job), "source": sha256, "options": dict(options), "tools": _versions()}
    request = {**options, "source": str(source.absolute())}
    entry = cache.produce("import", key, lambda folder: _make(job, request, folder, what, emit), what=what)
    return entry.path / MODEL, json.loads((entry.path / OUTCOME).read_text(encoding="utf-8"))


def _make(job: str, request: Mapping[str, Any], folder: Path, what: str, emit: Emit) -> None:
    require("build")
    emit(what)
    (folder / MODEL).mkdir()
    tools.job(
        [*tools.python(), "-m", "edgekit.jobs", job],
        {**request, "out": str(folder / MODEL)},
        folder,
        timeout=TIMEOUT,
        what=f"the {job} job",
        on_event=lambda event: emit(str(event.get("text", what))),
        env=tools.homes(folder / "hf"),
    )
    shutil.rmtree(folder / "hf", ignore_errors=True)
    for name in ("request.json", "log.txt"):
        (folder / name).unlink(missing_ok=True)


def _code(job: str) -> str:
    """The digest of the job's own source files: changed code never meets an old result."""
    folder = Path(str(files("edgekit"))) / "jobs"
    return digest({path.name: file_digest(path) for path in sorted(folder.glob(f"{job}*.py"))})


def _versions() -> dict[str, str]:
    found = {}
    for name in ENGINES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
