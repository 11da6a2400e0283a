"""What the core allocates itself, counted by its calls of malloc (counting.cpp), with the real engines: nothing for a
token, and next to nothing for tensors of any size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.devices._runner import LIBRARY
from tests.unit.wrappers.python import golden_cases

pytestmark = pytest.mark.tools

ROOT = Path(__file__).parents[4]
LIMIT = 1_000_000  # bytes, of the library in an app
BEGIN = """
import ctypes, json, sys
from pathlib import Path
from tests.engines.wrappers.cpp import abi
library = abi.Library(Path(sys.argv[1]))
counting = ctypes.CDLL(None)
counting.counting_calls.restype = counting.counting_bytes.restype = ctypes.c_int64
def counted():
    return counting.counting_calls(), counting.counting_bytes()
bundle = abi.Bundle(library, Path(sys.argv[2]))
assert counting.counting_begin(ctypes.cast(library.dll.edgekit_next, ctypes.c_void_p)) == 1
"""
ANSWER = """
def answered(tokens):
    before = counted()
    bundle.respond(prompt="the hand and the can", max_tokens=tokens, temperature=0, stop=["no such text"]).all().free()
    return counted()[0] - before[0]
answered(400)
print(json.dumps([answered(tokens) for tokens in (20, 100, 400)]))
"""
INFER = """
import numpy as np
feed = dict(np.load(sys.argv[3]))
into = {name.replace("x", "y"): np.zeros_like(array) for name, array in feed.items()}
bundle.infer(feed, into)
before = counted()
outputs = bundle.infer(feed, into)
calls, size = (after - then for after, then in zip(counted(), before))
assert all(outputs[name.replace("x", "y")].tobytes() == array.tobytes() for name, array in feed.items())
print(json.dumps([calls, size]))
"""


def counts(script: str, counting: Path, *words: Path) -> Any:
    """What a script prints, in a process whose allocations are counted."""
    env = {**os.environ, "LD_PRELOAD": str(counting)}
    command = [sys.executable, "-c", BEGIN + script, *words]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_a_token_allocates_nothing(runner: Path, counting: Path, talking_bundle: Path) -> None:
    few, more, many = counts(ANSWER, counting, runner.parent / LIBRARY, talking_bundle)
    assert few > 0 and max(few, more, many) - few < 10  # DONE writes numbers of other lengths


def test_ten_megabytes_in_and_out(runner: Path, counting: Path, case_bundle: Path, tmp_path: Path) -> None:
    """Through a net of 150 inputs and as many outputs, each as it came in."""
    feed = {f"x{at}": case.here[0] for at, case in enumerate(golden_cases.CASES.values())}
    large = next(name for name, array in feed.items() if array.dtype == np.float32 and array.ndim == 1)
    feed[large] = np.arange(10_000_000 // 4, dtype=np.float32)
    np.savez(tmp_path / "feed.npz", **feed)
    calls, size = counts(INFER, counting, runner.parent / LIBRARY, case_bundle, tmp_path / "feed.npz")
    assert calls > 0 and 0 < size < 64_000


def test_the_library_is_small(runner: Path) -> None:
    assert (runner.parent / LIBRARY).stat().st_size < LIMIT
