"""Conversions that need torch: run once in a child process, kept in the cache."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from edgekit import cache, tools
from edgekit.code import Basis
from edgekit.digests import Snapshot
from edgekit.extras import require
from edgekit.sources.source import Emit

# What the bytes of a converted model depend on.
ENGINES = ("torch", "transformers", "peft", "optimum", "optimum-onnx", "onnx", "gguf", "safetensors", "numpy")
TIMEOUT = 2 * 3600.0  # seconds
MODEL, OUTCOME = "model", "outcome.json"


def convert(
    job: str, source: Path, sha256: str, options: Mapping[str, Any], taken: Snapshot, *, what: str, emit: Emit
) -> tuple[Path, dict[str, Any]]:
    """Run edgekit.jobs.<job> on `source`, or find its result: the folder it filled and what it reported.

    Args:
        sha256: of `source`.
        options: plain JSON, handed to the job beside "source" and "out".
        taken: of `source`, from before its sha256 was.
        what: words for progress and for `edgekit cache show`.
    """
    key = {"job": job, "source": sha256, "options": dict(options), "basis": basis(job).key()}
    request = {**options, "source": str(source.absolute())}
    make = partial(_make, job, request, what, emit)
    entry = cache.produce("import", key, make, what=what, read=[taken], basis=basis(job))
    return entry.path / MODEL, json.loads((entry.path / OUTCOME).read_text(encoding="utf-8"))


def basis(job: str) -> Basis:
    """The code and the engines that what a job converts depends on."""
    roots = ("edgekit.jobs.__main__", f"edgekit.jobs.{job}", "edgekit.tools")
    return Basis(roots, ("edgekit.sources._convert",), ENGINES)


def _make(job: str, request: Mapping[str, Any], what: str, emit: Emit, folder: Path) -> dict[str, Any]:
    require("build")
    emit(what)
    (folder / MODEL).mkdir()
    outcome = tools.job(
        tools.module("edgekit.jobs", job),
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
    used: dict[str, Any] = outcome.pop("used")
    (folder / OUTCOME).write_text(json.dumps(outcome), encoding="utf-8")
    return used
