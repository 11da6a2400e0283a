"""An int8 key-value cache in plans: what it changes of them, and which targets cannot have it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit import build, plan, target
from edgekit.commands import _cache_bits
from edgekit.errors import UsageError
from edgekit.project.pairs import tuned
from edgekit.recipes import _int8_cache
from edgekit.sources import open_source
from edgekit.target import Target
from tests.golden import manifests
from tests.golden.plans import llama

pytestmark = pytest.mark.unit
SIZE = 134_515_008  # parameters
CPU = ("android-cpu", "android-nnapi", "android-x86_64", "linux-arm64", "linux-cpu", "macos-cpu", "windows-cpu")


def into(name: str, bits: int) -> Target:
    return tuned(target.load(name), cache_bits=bits)


@pytest.mark.parametrize("name", CPU)
def test_it_takes_a_quarter_of_the_memory_and_a_newer_engine(name: str) -> None:
    plans = {bits: plan.make(llama(SIZE), into(name, bits)) for bits in (8, 32)}
    taken = {bits: plan.footprint(made, llama(SIZE), into(name, bits)) for bits, made in plans.items()}
    assert taken[8].kv_dtype == "int8" and taken[32].kv_dtype == "float32"
    saved = taken[32].predicted_peak_bytes - taken[8].predicted_peak_bytes
    assert 4 * (taken[8].kv_bytes_at_max_length or 0) == taken[32].kv_bytes_at_max_length
    assert saved == 3 * (taken[8].kv_bytes_at_max_length or 0)
    assert into(name, 8).engine_floor("llm") == "1.27.0"
    assert into(name, 8).engine_floor("tensor") == into(name, 32).engine_floor("tensor") != "1.27.0"
    [step] = [step for step in plans[8].steps if step.name == _int8_cache.NAME]
    assert step.variants == ("portable",) and "1.27.0" in step.reason
    assert plans[8].optimize_step(plans[8].main) == plans[32].optimize_step(plans[32].main)
    assert not any(step.name == _int8_cache.NAME for step in plans[32].steps)
    [offer] = [note for note in plans[32].notes if "--cache-bits 8" in note]
    assert f"{saved / 1e6:,.0f} MB less" in offer and not any("--cache-bits" in note for note in plans[8].notes)


def test_a_newer_floor_of_the_target_stays() -> None:
    profile = into("linux-cpu", 8)
    newer = tuple(each.model_copy(update={"floor": "1.30.0"}) for each in profile.runtime)
    assert profile.model_copy(update={"runtime": newer}).engine_floor("llm") == "1.30.0"


@pytest.mark.parametrize("name", sorted({*target.names()} - {*CPU}))
def test_where_it_cannot_be_the_plan_says_why(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} cannot have an int8 key-value cache: ") as caught:
        plan.make(llama(SIZE), into(name, 8))
    assert "--cache-bits 8" in caught.value.next
    assert not any("--cache-bits" in note for note in plan.make(llama(SIZE), into(name, 32)).notes)
    reason = {"ios": "carries ONNX Runtime 1.26.0", "qnn": "fixed shapes", "web": "in float", "dir": "in float"}
    assert any(word in name and said in str(caught.value) for word, said in reason.items())


def test_no_more_text_is_read_than_a_short_model_takes() -> None:
    [step] = [
        each for each in plan.make(llama(SIZE, window=256), into("linux-cpu", 8)).steps if each.name == _int8_cache.NAME
    ]
    assert step.config == {"pieces": 8, "tokens": 256, "long": 256}


def test_a_model_without_a_cache_is_told_so(tmp_path: Path) -> None:
    source, profile = open_source(str(manifests.net(tmp_path / "net.onnx"))), into("linux-cpu", 8)
    job = build.Job(source, profile, plan.make(source.model, profile), None, {})
    with pytest.raises(UsageError, match="which tensor models have not"):
        _cache_bits.refuse([job])
