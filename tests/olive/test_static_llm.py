"""A language model for Qualcomm's NPU, from a checkpoint to a bundle: static graphs, contexts of two chips, and parity.

The simulator stands for the NPU (evidence: simulated). The weights are random, so the limit on the best token, which
is a matter of chance among flat distributions, is lowered.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.compile import _context
from edgekit.quality._pipeline import Pipeline
from edgekit.wrappers.python import open_bundle
from edgekit.wrappers.python.answers import Sampling
from edgekit.wrappers.python.events import Done, Progress, Text
from edgekit.wrappers.python.llm import LlmBundle
from edgekit.wrappers.python.slots import Slots
from tests.engines.wrappers.runtimes import PYTHON, Program
from tests.olive import tiny_llm

pytestmark = pytest.mark.olive

CHIPS = {"sm8650": "75", "sm8750": "79"}
# Run by the Python runtime, as an app of another system would: logits of several lengths, then short answers.
APP = """
import json, sys
import numpy as np
from edgekit.wrappers.python import open_bundle

bundle = open_bundle(sys.argv[1], variant="portable", foreign=True)
ids = json.loads(sys.argv[2])
for count in json.loads(sys.argv[3]):
    np.save(f"{sys.argv[4]}/{count}.npy", bundle.logits(ids[:count]))
answer = bundle.generate("A short prompt", max_tokens=5)
list(answer)
print(json.dumps([bundle.window, answer.prompt_tokens, len(answer.tokens), answer.reason]))
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("static")
    source = tiny_llm.llama(folder / "tiny")
    command = [sys.executable, "-m", "edgekit", "build", str(source), "--target", "android-qnn", "--json"]
    command += ["--recipe", "qnn_static_llm", "-o", str(folder)]
    command += ["--accept-source", "--quality", "fast", "--limit", "top1_agreement:min=0.3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Path(json.loads(done.stdout)["data"]["bundles"][0]["path"])


@pytest.fixture(scope="module")
def manifest(bundle: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((bundle / "edgekit.json").read_text(encoding="utf-8"))
    return found


def test_every_part_is_compiled_for_each_chip(bundle: Path, manifest: dict[str, Any]) -> None:
    variants = {one["name"]: one for one in manifest["variants"]}
    assert list(variants) == [*CHIPS, "portable"] and variants["portable"]["ep"] == "cpu"
    for name, arch in CHIPS.items():
        graphs = [f"{part}_{at}.onnx" for at in (0, 1) for part in ("context", "iterator")]
        inside = _context.read(bundle / variants[name]["path"] / one for one in graphs)
        assert (inside.soc, inside.htp_arch) == (name.upper(), arch)
        counted = variants[name]["compiled"]["graphs"]
        assert sorted(counted) == sorted(graphs)
        for graph in counted.values():  # one layer a part: its attention is the CPU's, and what is around it is not
            assert graph["left"]["GroupQueryAttention"] == 1 and graph["contexts"] == 2
            assert graph["compiled"] > 10


def test_the_simulator_answers_as_the_cpu_does(manifest: dict[str, Any]) -> None:
    [quality] = manifest["quality"].values()
    assert quality["verdict"] == "pass" and quality["evidence"] == "simulated"
    found = {one["metric"]: one for one in quality["measurements"]}
    assert found["kl_mean@simulator"]["evidence"] == "simulated" and found["kl_mean"]["evidence"] == "host"
    assert found["kl_mean@simulator"]["n"] >= 64
    assert found["kl_mean@simulator"]["value"] == pytest.approx(found["kl_mean"]["value"], rel=0.3)
    assert found["kl_mean@one_token"]["value"] < 1e-3
    assert found["greedy_prefix_agreement@simulator"]["n"] >= 1


def test_the_runtime_reads_texts_of_any_length(bundle: Path, tmp_path: Path) -> None:
    """GenAI fills a text up to whole windows of 64; the rows are those of the plain sessions, without the padding."""
    ids = np.random.default_rng(0).integers(6, tiny_llm.VOCAB, 140).tolist()
    counts = (1, 40, 64, 65, 140)
    code = [sys.executable, "-c", APP, bundle, json.dumps(ids), json.dumps(counts), tmp_path]
    environment = {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(code, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    window, prompt, answered, reason = json.loads(done.stdout)
    assert (window, reason) == (64, "length") and prompt < window and answered == 5
    expected = Pipeline(bundle / "model" / "portable").logits(ids)
    for count in counts:
        assert np.abs(np.load(tmp_path / f"{count}.npy") - expected[:count]).max() < 1e-4


def test_a_prompt_is_read_in_whole_windows(bundle: Path) -> None:
    """However few tokens a piece may have; and no cache is kept, for a pipeline does not rewind."""
    opened = open_bundle(bundle, variant="portable", foreign=True)
    assert isinstance(opened, LlmBundle)
    for count in (70, 140, 300):
        answers = []
        for piece in (1 << 20, 128, 64, 1):
            opened.slots = Slots(opened, 1, piece)
            events = list(opened.respond("A " * count, max_tokens=12, sampling=Sampling()))
            read = [event.read for event in events if isinstance(event, Progress)]
            end = events[-1]
            assert isinstance(end, Done) and end.reused == 0 and all(tokens % 64 == 0 for tokens in read[:-1])
            answers.append([event.text for event in events if isinstance(event, Text)])
        assert answers[0] and answers == [answers[0]] * 4, count


@pytest.mark.tools
def test_the_runner_answers_as_the_runtime_does(bundle: Path, runner: Path) -> None:
    """Golden answers, a prompt that is no whole window, and one whose windows leave no room for an answer."""
    limit = json.loads((bundle / "edgekit.json").read_text(encoding="utf-8"))["contract"]["max_length"]
    said = []
    for program in (Program((str(runner),)), PYTHON):
        ask = partial(program.act, bundle=bundle, variant="portable", foreign=True)
        goldens = ask("goldens").outcome["goldens"]
        assert goldens["passed"] and goldens["compared"] > 4, goldens
        greedy = {"temperature": 0.0, "top_p": 1.0, "max_tokens": 5}
        answers = [ask("generate", prompt="A " * count, **greedy) for count in (3, 70)]
        pieces = ["".join(one["text"] for one in answer.events) for answer in answers]
        counts = [answer.outcome["prompt_tokens"] for answer in answers]
        assert counts[0] < 64 < counts[1] < 128
        refused = ask("generate", prompt=" A" * (limit - 10), **greedy).error
        assert "in whole windows" in refused["message"], refused
        said.append((goldens["worst"], pieces, counts, refused))
    assert said[0] == said[1]


def test_the_round_trips_of_attention_are_reported(bundle: Path) -> None:
    command = [sys.executable, "-m", "edgekit", "inspect", str(bundle), "--partition", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["data"]["partition"]
    for name in CHIPS:
        assert len(found[name]) == 4  # two splits, each for a window and for one token
        for one in found[name]:
            assert (one["how"], one["evidence"], one["round_trips"]) == ("measured", "simulated", 1)
            assert one["nodes_by_ep"] == {"qnn": one["nodes_taken"], "cpu": 1}
            assert [blocker["operator"] for blocker in one["blockers"]] == ["GroupQueryAttention"]
    assert {one["ep"] for one in found["portable"]} == {"cpu"}
