"""libedgekit with the real engines: conversations (conformance_respond.py), tensors, refusals, the process's end."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.devices._runner import LIBRARY, SOURCES
from edgekit.wrappers.python import open_bundle
from edgekit.wrappers.python.tensor import TensorBundle
from tests.engines.wrappers.conformance import GREEDY, axis, changed
from tests.engines.wrappers.conformance_respond import Answered, Opens, Responses, ended, said
from tests.engines.wrappers.cpp import abi

pytestmark = pytest.mark.tools

ROOT = Path(__file__).parents[4]
GENAI_VERSION = "0.14.1"


@pytest.fixture(scope="module")
def library(runner: Path) -> abi.Library:
    return abi.Library(runner.parent / LIBRARY)


class There:
    """A bundle of the C++ core."""

    def __init__(self, bundle: abi.Bundle) -> None:
        self.bundle = bundle

    def answer(self, **request: Any) -> Answered:
        return self.answer_until(1 << 30, 1 << 30, **request)

    def answer_until(self, pieces: int, chars: int, **request: Any) -> Answered:
        run = self.bundle.respond(**request)
        for _ in run:
            ended(run, run.cancel, len(run.pieces) >= pieces and len(run.text) >= chars)
        assert run.next() == abi.DONE
        run.free()
        named = {name: run.done[name] for name in ("reason", "prompt_tokens", "tokens", "reused", "loaded")}
        return Answered(run.text, pieces=tuple(run.pieces), calls=tuple(run.calls), **named)

    def trim(self, what: str) -> int:
        return self.bundle.trim({"caches": abi.CACHES, "weights": abi.WEIGHTS}[what])


@contextmanager
def there(library: abi.Library, bundle: Path, slots: int = 1, piece: int = 128) -> Iterator[There]:
    with abi.Bundle(library, bundle, slots=slots or -1, piece=piece) as opened:
        yield There(opened)


class TestResponses(Responses):
    @pytest.fixture
    def opens(self, library: abi.Library) -> Opens:
        return partial(there, library)


def test_facts(library: abi.Library, talking_bundle: Path, tensor_bundle: Path, runner: Path) -> None:
    with abi.Bundle(library, talking_bundle, flags=abi.LAZY) as bundle:
        before = bundle.facts()
        bundle.respond(prompt="a", max_tokens=1).all().free()
        facts = bundle.facts()
    assert facts == before
    assert facts["can"] == {"reuse": True, "cancel_in_prompt": True, "tools": False}
    assert (facts["kind"], facts["variant"], facts["ep"], facts["slots"]) == ("llm", "portable", "cpu", 1)
    assert facts["engines"]["onnxruntime-genai"]["version"] == GENAI_VERSION
    assert {Path(engine["file"]).parent for engine in facts["engines"].values()} == {runner.parent}
    with abi.Bundle(library, tensor_bundle) as bundle:
        assert set(bundle.facts()) == {"kind", "variant", "ep", "engines", "other_onnxruntimes"}


ANOTHER = """
import ctypes, sys
from pathlib import Path
from tests.engines.wrappers.cpp import abi
with abi.Bundle(abi.Library(Path(sys.argv[1])), Path(sys.argv[2])) as bundle:
    assert bundle.facts()["other_onnxruntimes"] == []
    other = ctypes.CDLL(sys.argv[3])
    assert bundle.facts()["other_onnxruntimes"] == [sys.argv[3]]
"""


def test_a_second_onnxruntime_is_told(library: abi.Library, tensor_bundle: Path, tmp_path: Path) -> None:
    """Which the app loads, in a process that had none but the core's."""
    (engine,) = Path(library.dll._name).parent.glob("libonnxruntime.so*")
    other = shutil.copyfile(engine, tmp_path / "libonnxruntime.so")
    command = [sys.executable, "-c", ANOTHER, library.dll._name, tensor_bundle, other]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def test_tensors(library: abi.Library, tensor_bundle: Path) -> None:
    reference = open_bundle(tensor_bundle)
    assert isinstance(reference, TensorBundle)
    x = np.random.default_rng(3).normal(size=(2, 3, 8, 8)).astype(np.float32)
    expected = reference.run({"x": x})
    with abi.Bundle(library, tensor_bundle) as bundle:
        own = {name: np.zeros_like(array) for name, array in expected.items()}
        for into in (dict.fromkeys(expected), own, own | {"best": None}, {"best": None}):
            outputs = bundle.infer({"x": x}, into)
            for name, array in outputs.items():
                assert array.dtype == expected[name].dtype and array.shape == expected[name].shape
                assert np.array_equal(array, expected[name]), name
        assert np.array_equal(own["scores"], expected["scores"])  # written where it lies
        assert bundle.trim(abi.WEIGHTS) > 0
        assert np.array_equal(bundle.infer({"x": x}, {"best": None})["best"], expected["best"])

        def refused(feed: dict[str, Any], into: dict[str, Any]) -> str:
            with pytest.raises(abi.Refusal) as refusal:
                bundle.infer(feed, into)
            assert refusal.value.code == "usage"
            return str(refusal.value)

        assert "is float64" in refused({"x": x.astype(np.float64)}, {"best": None})
        assert "has the shape [2, 3, 8]" in refused({"x": x[..., 0].copy()}, {"best": None})
        assert "is missing" in refused({}, {"best": None})
        assert "no input 'y'" in refused({"x": x, "y": x}, {"best": None})
        assert "no output 'worst'" in refused({"x": x}, {"worst": None})
        assert "cannot take" in refused({"x": x}, {"best": np.zeros(3, np.int64)})  # two images
        with pytest.raises(abi.Refusal, match="no language model"):
            bundle.respond(prompt="a")


def test_refusals(library: abi.Library, talking_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(abi.Refusal) as refusal:
        abi.Bundle(library, changed(talking_bundle, tmp_path, axis("abi", ["mips"])))
    assert (refusal.value.code, refusal.value.axis) == ("bundle", "abi")
    with pytest.raises(abi.Refusal) as refusal:
        abi.Bundle(library, talking_bundle, variant="other")
    assert refusal.value.code in ("bundle", "usage")
    shutil.copyfile(library.dll._name, tmp_path / LIBRARY)  # beside no engine
    with pytest.raises(abi.Refusal) as refusal:
        abi.Bundle(abi.Library(tmp_path / LIBRARY), talking_bundle)
    assert (refusal.value.code, refusal.value.axis) == ("tool-missing", "onnxruntime")


def test_only_its_functions_are_exported(library: abi.Library) -> None:
    done = subprocess.run(["nm", "-D", "--defined-only", library.dll._name], capture_output=True, text=True, check=True)
    header = (SOURCES / "src/edgekit.h").read_text(encoding="utf-8")
    names = {line.split()[-1] for line in done.stdout.splitlines()}
    declared = set(re.findall(r"\bEDGEKIT_API [^;(]*\b(edgekit_\w+)\(", header))
    assert names == declared and len(names) > 15


LEAVES = """
import sys
from pathlib import Path
from tests.engines.wrappers.cpp import abi
bundle = abi.Bundle(abi.Library(Path(sys.argv[1])), Path(sys.argv[2]))
run = bundle.respond(prompt="the hand and the can", max_tokens=3000)
while run.next() != abi.TEXT:
    pass
"""


def test_a_process_that_leaves_in_mid_answer_ends_well(library: abi.Library, talking_bundle: Path) -> None:
    command = [sys.executable, "-c", LEAVES, library.dll._name, talking_bundle]
    open_pipes = partial(
        subprocess.Popen, command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
    )
    leaving = [open_pipes() for _ in range(8)]  # beside one another: the fault is a matter of who comes first
    said = [process.communicate(timeout=120)[0] for process in leaving]
    assert [(process.returncode, text) for process, text in zip(leaving, said, strict=True)] == [(0, "")] * 8


KILLED = """
import json, sys
from pathlib import Path
from tests.engines.wrappers.cpp import abi
bundle = abi.Bundle(abi.Library(Path(sys.argv[1])), Path(sys.argv[2]))
run = bundle.respond(**json.loads(sys.argv[3]), max_tokens=3000, temperature=0)
while len(run.text) < 20:
    run.next()
print(json.dumps(run.text), flush=True)
sys.stdin.read()
"""


def test_what_a_killed_process_told_is_gone_on_with(library: abi.Library, talking_bundle: Path) -> None:
    """In mid answer, which waits for its reader: the bundle keeps nothing of it, and the history is all it takes."""

    def files() -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in talking_bundle.rglob("*")}

    before, messages = files(), [said("the hand and the can")]
    command = [sys.executable, "-c", KILLED, library.dll._name, talking_bundle, json.dumps({"messages": messages})]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout
    text = json.loads(process.stdout.readline())
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL and files() == before
    messages += [{"role": "assistant", "content": text}, said("on")]
    with there(library, talking_bundle) as talker:
        answer = talker.answer(messages=messages, max_tokens=20, **GREEDY)
    assert answer.text == Responses().fresh(talking_bundle, messages, max_tokens=20)
