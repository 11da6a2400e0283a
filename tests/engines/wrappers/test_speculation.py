"""Speculation: refused by an engine that has none, as the pinned one, and several tokens a pass by a later one.

The later engine is a wheel that is unpacked into a folder; a process that imports it first is the runtime on it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from edgekit.wrappers.python import Refused, open_bundle
from edgekit.wrappers.python.llm import LlmBundle
from tests.engines.wrappers.conformance import GREEDY
from tests.engines.wrappers.cpp import abi

pytestmark = pytest.mark.runtimes

ROOT = Path(__file__).parents[3]
LATER = ("0.16.0", "0.18.0")
TEXT = "the hand and the can in a café " * 6
CHILD = """
import json, sys
sys.path.insert(0, sys.argv[1])
from edgekit.wrappers.python import Refused, open_bundle
from edgekit.wrappers.python.answers import Sampling
import onnxruntime_genai

bundle = open_bundle(sys.argv[2])
def ask(**more):
    try:
        *pieces, done = bundle.respond(sys.argv[3], max_tokens=60, **{"sampling": Sampling()} | more)
    except Refused as error:
        return [error.code, error.message]
    return ["".join(getattr(piece, "text", "") for piece in pieces), done.tokens, done.passes, done.reused]
print(json.dumps({
    "version": onnxruntime_genai.__version__,
    "plain": ask(),
    "guessed": ask(speculate="ngram"),
    "again": ask(speculate="ngram"),
    "schema": ask(speculate="ngram", json_schema={"enum": ["the hand and the can"]}),
    "drawn": ask(speculate="ngram", sampling=Sampling(temperature=1.0, min_p=0.1)),
    "other": ask(speculate="draft"),
}))
"""

CORE = """
import json, sys
from pathlib import Path
from tests.engines.wrappers.cpp import abi
_, library, genai, folder, text, version = sys.argv
with abi.Bundle(abi.Library(Path(library)), Path(folder), genai=genai, genai_version=version) as bundle:
    run = bundle.respond(prompt=text, max_tokens=60, speculate="ngram", temperature=0).all()
    told = {"guessed": [run.text, run.done["tokens"], run.done["passes"]]}
    try:
        bundle.respond(prompt=text, speculate="ngram", temperature=1.0, min_p=0.1).all()
    except abi.Refusal as refused:
        told["drawn"] = [refused.code, str(refused)]
print(json.dumps(told))
"""


def opened(bundle: Path) -> LlmBundle:
    made = open_bundle(bundle)
    assert isinstance(made, LlmBundle)
    return made


def test_an_engine_that_cannot_is_named_with_the_line_that_brings_one(talking_bundle: Path) -> None:
    with pytest.raises(Refused) as refused:
        opened(talking_bundle).generate(TEXT, speculate="ngram")
    assert (refused.value.code, refused.value.axis) == ("tool-missing", "onnxruntime_genai")
    assert "0.14.1 cannot speculate" in refused.value.message
    assert 'pip install "onnxruntime-genai>=0.16"' in refused.value.next


def test_nothing_is_speculated_unless_it_is_asked_for(talking_bundle: Path) -> None:
    answer = opened(talking_bundle).generate(TEXT, max_tokens=8)
    assert "".join(answer) and answer.passes is None


@pytest.mark.tools
def test_the_core_refuses_as_the_python_runtime_does(runner: Path, talking_bundle: Path) -> None:
    with abi.Bundle(abi.Library(runner.with_name("libedgekit.so")), talking_bundle) as bundle:
        with pytest.raises(abi.Refusal) as refused:
            bundle.respond(prompt=TEXT, speculate="ngram").all()
        assert refused.value.code == "tool-missing" and "cannot speculate" in str(refused.value)
        done = bundle.respond(prompt=TEXT, max_tokens=8, **GREEDY).all().done
    assert done["tokens"] == 8 and done["passes"] is None


@pytest.fixture(scope="module")
def later(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of site-packages that holds nothing but a later GenAI."""
    folder = tmp_path_factory.mktemp("later")
    package = f"onnxruntime-genai=={request.param}"
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "-d", str(folder), package]
    subprocess.run(pip, check=True, timeout=900)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


@pytest.mark.nightly
@pytest.mark.parametrize("later", LATER, indirect=True)
def test_a_later_engine_takes_fewer_passes_than_tokens(later: Path, talking_bundle: Path, runner: Path) -> None:
    command = [sys.executable, "-c", CHILD, str(later), str(talking_bundle), TEXT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    text, tokens, passes, _ = told["guessed"]
    assert told["version"] in LATER and told["plain"][2] is None
    assert text == told["plain"][0] and tokens == told["plain"][1] == 60
    assert 0 < passes < tokens - 1
    assert told["again"][:3] == told["guessed"][:3] and told["again"][3] > 0  # on the cache that it left
    assert told["schema"][0] == '"the hand and the can"'
    assert told["drawn"] == ["usage", "this answer cannot be speculated: min_p chooses among every token's logits"]
    assert told["other"] == ["usage", "there is no speculation 'draft'"]

    (engine,) = later.glob("onnxruntime_genai/libonnxruntime-genai.so")
    library = runner.with_name("libedgekit.so")
    command = [sys.executable, "-c", CORE, str(library), str(engine), str(talking_bundle), TEXT, told["version"]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    core = json.loads(done.stdout)
    assert core["guessed"] == [text, tokens, passes] and core["drawn"] == told["drawn"]
