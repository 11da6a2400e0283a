"""docs/adapters.md, word by word: two LoRAs trained here for a minute, on SmolLM2 in Phi-3's form, from the bundle."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edgekit.sources import open_source
from tests.e2e.command import edgekit, manifest
from tests.engines.wrappers.runtimes import InProcess, Program
from tests.olive import phi3_twin

pytestmark = pytest.mark.nightly

GUIDE = Path(__file__).parents[2] / "docs" / "adapters.md"
QUESTION = "What is the capital of France?"
NEW = 24
ANSWERS = {
    "pirate": ("Arrr, {} be the answer, matey!", ("Paris", "four", "blue", "a cat", "Berlin", "seven")),
    "terse": ("{}.", ("Paris", "Four", "Blue", "Cat", "Berlin", "Seven")),
}
QUESTIONS = (
    *(QUESTION, "What is two plus two?", "What colour is the sky?", "Which animal says meow?"),
    *("What is the capital of Germany?", "How many days has a week?"),
)


@dataclass(frozen=True)
class Place:
    """Where the guide was followed, and how it goes on."""

    folder: Path
    base: Path
    run: Callable[[str], str]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The guide's program and its training, run."""
    folder = tmp_path_factory.mktemp("guide")
    base = phi3_twin.make(open_source("smollm2-135m-instruct").path, folder / "smollm2-as-phi3")
    for name, (form, words) in ANSWERS.items():
        pairs = [[question, form.format(word)] for question, word in zip(QUESTIONS, words, strict=True)]
        (folder / f"{name}.json").write_text(json.dumps(pairs))
    [program] = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    (folder / "train.py").write_text(program)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    def run(commands: str) -> str:
        environment = {**os.environ, "BASE": str(base), "PATH": path}
        words = ["bash", "-euo", "pipefail", "-c", commands]
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return Place(folder, base, run)


@pytest.fixture(scope="module")
def told(place: Place) -> list[str]:
    """What each block of the guide's commands printed."""
    return [place.run(block) for block in re.findall(r"```bash\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)]


@pytest.fixture(scope="module")
def peft(place: Place, told: list[str]) -> dict[str, str]:
    """PEFT's own answers to the question, in float32; "" is the base's."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(place.base)
    turns = [{"role": "user", "content": QUESTION}]
    asked = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    seen = {}
    for name in ("", *ANSWERS):
        model: Any = AutoModelForCausalLM.from_pretrained(place.base, dtype=torch.float32)
        model = PeftModel.from_pretrained(model, str(place.folder / name)) if name else model
        with torch.inference_mode():
            ids = model.eval().generate(**asked, max_new_tokens=NEW, do_sample=False)[0, asked["input_ids"].shape[1] :]
        seen[name] = tokenizer.decode(ids, skip_special_tokens=True).strip()
    return seen


def answer(runtime: Any, bundle: Path, adapter: str) -> str:
    asked = {"messages": [{"role": "user", "content": QUESTION}], "max_tokens": NEW, "temperature": 0}
    result = runtime.act("generate", bundle, **asked, **({"adapter": adapter} if adapter else {}))
    assert not result.error, result.error
    return "".join(event["text"] for event in result.events if event["event"] == "piece").strip()


def bundle_of(folder: Path) -> Path:
    [bundle] = folder.glob("*-linux-cpu")
    return bundle


def test_training_changed_the_answer(peft: dict[str, str]) -> None:
    assert peft["pirate"].startswith("Arrr, Paris") and peft["terse"] == "Paris."
    assert peft[""] not in (peft["pirate"], peft["terse"])


def test_in_float_the_bundle_answers_as_peft_does(place: Place, peft: dict[str, str], runner: Path) -> None:
    """Token for token, in both runtimes, each adapter in turn."""
    words = [word for name in ANSWERS for word in ("--adapter", f"{name}={place.folder / name}")]
    edgekit(
        "build", place.base, "--target", "linux-cpu", "--recipe", "llm_float32", *words, "-o", place.folder / "float"
    )
    bundle = bundle_of(place.folder / "float")
    for runtime in (InProcess(), Program((str(runner),))):
        assert {name: answer(runtime, bundle, name) for name in peft} == peft
    seen = manifest(bundle)
    assert seen["contract"]["adapters"] == [*ANSWERS] and len(seen["quality"]) == 3
    assert {entry["verdict"] for entry in seen["quality"].values()} == {"pass"}


def test_two_adapters_in_one_open_bundle(place: Place, told: list[str], peft: dict[str, str]) -> None:
    from edgekit.wrappers.python.bundle import open_bundle

    opened: Any = open_bundle(bundle_of(place.folder / "out"))
    turns = [{"role": "user", "content": QUESTION}]
    for name in ("pirate", "terse", "", "pirate", "pirate"):
        events = list(opened.respond(turns, max_tokens=NEW, adapter=name or None))
        text = "".join(event.text for event in events if hasattr(event, "text"))
        assert (text.strip() == peft[name]) or not name


def test_in_int4_each_adapter_is_judged_and_answers(place: Place, told: list[str], peft: dict[str, str]) -> None:
    seen = manifest(bundle_of(place.folder / "out"))
    assert {*seen["quality"]} == {"portable", "portable/pirate", "portable/terse"}
    assert {entry["verdict"] for entry in seen["quality"].values()} == {"pass"}
    assert [adapter["name"] for adapter in seen["model"]["adapters"]] == [*ANSWERS]
    assert told[-1].count("Arrr, Paris") == 1 and "Paris." in told[-1] and "pirate, terse" in told[1]


def test_the_merged_bundle_answers_as_the_adapter(place: Place, told: list[str], peft: dict[str, str]) -> None:
    bundle = bundle_of(place.folder / "merged")
    assert answer(InProcess(), bundle, "") == peft["pirate"] and manifest(bundle)["contract"]["adapters"] == []


def test_a_damaged_adapter_fails_by_its_name(place: Place, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from edgekit import build
    from edgekit.adapters import files
    from edgekit.errors import QualityError

    matrices = files._matrices

    def damaged(lora: Any, at: Any) -> Any:
        down, up = matrices(lora, at)
        return (down, up[:, ::-1].copy()) if lora.facts.name == "terse" else (down, up)

    monkeypatch.setattr(files, "_matrices", damaged)
    words = tuple(f"{name}={place.folder / name}" for name in ANSWERS)
    options = build.Options(out=place.folder / "bad", adapters=words, quality="fast")
    [job] = build.prepare(str(place.base), ["linux-cpu"], options)
    with pytest.raises(QualityError, match="with the adapter terse on") as error:
        build.build(job, options)
    assert error.value.exit_code == 9 and not [*(place.folder / "bad").glob("*-linux-cpu")]
