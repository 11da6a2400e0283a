"""What the benchmarks share: alternating runs, medians, one JSON line of results."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
EDGEKIT = [sys.executable, "-m", "edgekit"]


def alternate(rounds: int, **runs: Callable[[], float]) -> dict[str, list[float]]:
    """Take the runs in turn, so that what else the machine does falls on all of them."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(run())
    return found


def cpu_seconds(command: list[str]) -> float:
    """User and system seconds of a program and its children."""
    before = os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def wall_seconds(command: list[str], **environment: str) -> float:
    """Seconds until a program has ended."""
    started = time.perf_counter()
    subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **environment}
    )
    return time.perf_counter() - started


def report(name: str, samples: dict[str, list[float]], *, unit: str = "s", **facts: Any) -> None:
    """Print medians for people, and everything as one line of JSON."""
    for run, values in samples.items():
        print(f"{name}: {run:<12} median {statistics.median(values):.3f} {unit} of {len(values)}")
    for key, value in facts.items():
        print(f"{name}: {key} = {value}")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    machine = {"cpu_count": os.cpu_count(), "machine": platform.machine(), "load_1m": load}
    print(json.dumps({"benchmark": name, "samples": samples, **facts, "machine": machine}))
