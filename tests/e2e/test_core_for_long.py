"""The core and a language model of 135 million parameters: what takes minutes. Times are reported, not judged.

What is counted exactly (tokens after a cancellation, events that wait) core_test.cpp holds, on an engine of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from edgekit.devices._runner import LIBRARY
from tests.e2e.command import edgekit
from tests.engines.wrappers.cpp import abi

pytestmark = pytest.mark.nightly

ROOT = Path(__file__).parents[2]
GREEDY = {"temperature": 0, "repetition_penalty": 1}
BEES = "The bees on the roof of a house in Lisbon need water, flowers and shade in the summer months. "
QUESTION = [{"role": "user", "content": "Tell a long story of a lighthouse, its keeper and the sea."}]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = ("--target", "linux-cpu", "--quality", "off")
    built = edgekit("build", "smollm2-135m-instruct", *options, "-o", tmp_path_factory.mktemp("out"))["data"]
    return Path(built["bundles"][0]["path"])


@pytest.fixture(scope="module")
def library(runner: Path) -> abi.Library:
    return abi.Library(runner.parent / LIBRARY)


def fresh(library: abi.Library, bundle: Path, **request: Any) -> str:
    """The answer of a bundle that keeps nothing."""
    with abi.Bundle(library, bundle, slots=-1) as opened:
        return opened.respond(**request, **GREEDY).all().text


def cancelled(run: abi.Run) -> float:
    """Cancel from another thread and read to the end; milliseconds."""
    began = time.perf_counter()
    thread = threading.Thread(target=run.cancel)
    thread.start()
    run.all()
    thread.join()
    assert run.done["reason"] == "cancelled"
    return (time.perf_counter() - began) * 1000


def test_a_prompt_and_an_answer_are_cancelled(
    library: abi.Library, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with abi.Bundle(library, bundle) as opened:
        prompt = opened.respond(prompt=BEES * 150, max_tokens=8, **GREEDY)
        time.sleep(0.05)
        in_prompt = cancelled(prompt)
        assert prompt.done["tokens"] == 0 and prompt.done["prompt_tokens"] > 3000 and not prompt.text
        answer = opened.respond(messages=QUESTION, max_tokens=500, **GREEDY)
        for _ in range(3):
            answer.next()
        in_answer = cancelled(answer)
        assert answer.done["tokens"] < 100
        messages = [*QUESTION, {"role": "assistant", "content": answer.text}, {"role": "user", "content": "And then?"}]
        after = opened.respond(messages=messages, max_tokens=40, **GREEDY).all()
    assert after.text == fresh(library, bundle, messages=messages, max_tokens=40)
    with capsys.disabled():
        print(f"\nfigure: cancelled in a prompt {in_prompt:.0f} ms, in an answer {in_answer:.0f} ms")


def test_a_slow_reader_misses_nothing(library: abi.Library, bundle: Path) -> None:
    request = {"messages": QUESTION, "max_tokens": 500, **GREEDY}
    with abi.Bundle(library, bundle, slots=-1) as opened:
        quick = opened.respond(**request).all()
        slow = opened.respond(**request)
        for _ in slow:
            time.sleep(0.05)
    assert quick.done["tokens"] > 300
    assert (slow.text, slow.pieces, slow.done["tokens"]) == (quick.text, quick.pieces, quick.done["tokens"])


BEGIN = """
import json, os, sys
from pathlib import Path
from tests.engines.wrappers.cpp import abi
library, folder, request = abi.Library(Path(sys.argv[1])), Path(sys.argv[2]), json.loads(sys.argv[3])
def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon:")).split()[1])  # kB
def mapped():
    return Path("/proc/self/maps").read_text().count(str(folder / "model"))
def look():
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task")), anonymous()
"""
CYCLES = """
seen = []
for cycle in range(200):
    with abi.Bundle(library, folder) as bundle:
        run = bundle.respond(**request)
        run.next() if cycle % 2 else run.all()
        run.free()
    seen.append(look())
print(json.dumps([seen[1], seen[99], seen[199]]))
"""
TRIMS = """
with abi.Bundle(library, folder) as bundle:
    texts, freed, fell, maps = [], [], [], []
    for part in (abi.CACHES, abi.WEIGHTS, abi.CACHES):
        run = bundle.respond(**request).all()
        texts.append(run.text)
        run.free()
        before = anonymous()
        maps.append(mapped())
        freed.append(bundle.trim(part))
        fell.append((before - anonymous()) * 1024)
        maps.append(mapped())
    print(json.dumps([texts, freed, fell, maps, bundle.facts()["cache_bytes"]]))
"""


def told(script: str, library: abi.Library, bundle: Path, **request: Any) -> Any:
    """What a process of its own prints."""
    command = [sys.executable, "-c", BEGIN + script, library.dll._name, bundle, json.dumps(request)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_two_hundred_bundles_leave_nothing(library: abi.Library, bundle: Path) -> None:
    first, middle, last = told(CYCLES, library, bundle, messages=QUESTION, max_tokens=4, **GREEDY)
    assert last[:2] == first[:2]
    assert last[2] - middle[2] < 2048  # kB


def test_trim_gives_memory_back(library: abi.Library, bundle: Path) -> None:
    texts, freed, fell, maps, cache = told(TRIMS, library, bundle, messages=QUESTION, max_tokens=40, **GREEDY)
    memory = json.loads((bundle / "edgekit.json").read_text(encoding="utf-8"))["memory"]
    assert len(set(texts)) == 1
    assert freed == [cache, cache + memory["mapped_bytes"] + memory["prepacked_bytes"], cache]
    assert min(fell[0], fell[2]) >= 0.9 * cache and fell[1] >= 0.9 * (cache + memory["prepacked_bytes"])
    assert [count > 0 for count in maps] == [True, True, True, False, True, True]  # of the model's own files
