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

import psutil

ROOT = Path(__file__).resolve().parents[1]
EDGEKIT = [sys.executable, "-m", "edgekit"]


QUIET = 0.1  # cores' worth of work by others, at most


def busy() -> tuple[float, float, float]:
    """The machine's CPU seconds that were work, those of this process and its children that ended, and the time."""
    all_cores, own = psutil.cpu_times(), os.times()
    idle = all_cores.idle + getattr(all_cores, "iowait", 0.0)
    mine = own.user + own.system + own.children_user + own.children_system
    return sum(all_cores[:8]) - idle, mine, time.perf_counter()


_BEGAN = busy()


def others(since: tuple[float, float, float] = _BEGAN) -> float:
    """Cores' worth of work that other processes did since then, by default since this benchmark began."""
    work, mine, seconds = (after - before for after, before in zip(busy(), since, strict=True))
    return max(0.0, work - mine) / seconds


def pictures(folder: Path, count: int = 48) -> Path:
    """Lines of text as they come, every other one upside down."""
    from edgekit.inputs import drawings, synthetic

    folder.mkdir()
    words = [line for line in synthetic.sentences() if line.isascii()]
    for at in range(count):
        text = words[at * 11 % len(words)][: 12 + at % 20].strip()
        drawings.line(text, 5000 + at, 48, 192).rotate(180 * (at % 2)).save(folder / f"{at:02}.png")
    return folder


def alternate(rounds: int, **runs: Callable[[], float]) -> dict[str, list[float]]:
    """Take the runs in turn, so that what else the machine does falls on all of them."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(run())
    return found


def smollm2() -> Path:
    """SmolLM2's bundle: the one on the command line, or built now if need be."""
    if len(sys.argv) > 1:
        return Path(sys.argv[1])
    how = ("--effort", "quick", "--quality", "fast", "--json")
    command = [*EDGEKIT, "build", "smollm2-135m-instruct", "--target", "linux-cpu", *how]
    done = subprocess.run([*command, "-o", str(ROOT / ".cache/bundles")], stdout=subprocess.PIPE, check=True)
    return Path(json.loads(done.stdout)["data"]["bundles"][0]["path"])


def core() -> tuple[Any, Any]:
    """The module by which the tests call the C++ core (its ABI, through ctypes), and the core, built if need be."""
    from edgekit.devices import _runner

    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from tests.engines.wrappers.cpp import abi

    runner = _runner.build(_runner.platform(f"linux-{_runner.host_abi()}"))
    return abi, abi.Library(runner.with_name(_runner.LIBRARY))


def cpu_seconds(command: list[str], cwd: Path | None = None) -> float:
    """User and system seconds of a program and its children."""
    before = os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=cwd)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def wall_seconds(command: list[str], *, cwd: Path | None = None, **environment: str) -> float:
    """Seconds until a program has ended."""
    started = time.perf_counter()
    quiet = subprocess.DEVNULL
    subprocess.run(command, check=True, stdout=quiet, stderr=quiet, cwd=cwd, env={**os.environ, **environment})
    return time.perf_counter() - started


def report(
    name: str, samples: dict[str, list[float]], *, unit: str = "s", beside: float | None = None, **facts: Any
) -> None:
    """Print medians for people, whether the machine was quiet, and everything as one line of JSON.

    Args:
        beside: cores' worth of others' work while the samples were taken; None: since this benchmark began.
    """
    for run, values in samples.items():
        print(f"{name}: {run:<12} median {statistics.median(values):.3f} {unit} of {len(values)}")
    for key, value in facts.items():
        print(f"{name}: {key} = {value}")
    beside = others() if beside is None else beside
    print(f"{name}: quiet: {'yes' if beside <= QUIET else 'no'} (others took {beside:.2f} cores)")
    machine = {"cpu_count": os.cpu_count(), "machine": platform.machine(), "others_cores": round(beside, 3)}
    print(json.dumps({"benchmark": name, "samples": samples, **facts, "machine": machine}))
