"""What every runtime does alike: the same request gives the same outcome, within what timing and kernels allow.

The classes are bases: a test module has a `runtime` fixture and a Test... class for each.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import psutil
import pytest

from edgekit.contract.check_plan import CALLS, BenchOutcome, CallsOutcome, GoldensOutcome, LoadOutcome, Watch
from edgekit.kinds import Trials
from edgekit.kinds.llm import LlmBench
from edgekit.wrappers.python import npz, open_bundle
from edgekit.wrappers.python.__main__ import act
from edgekit.wrappers.python.llm import LlmBundle
from tests import needs
from tests.engines.wrappers.runtimes import QUICK, Program, Runtime, full, plan_of, quick_plan
from tests.engines.wrappers.small_bundles import CLASSES, MAX_LENGTH, copy
from tests.engines.wrappers.small_models import END
from tests.unit.injections import INJECTIONS, OPTIONS, Injection, config, reseal, weights
from tests.unit.wrappers.python import golden_cases

BORDER = 20  # tokens
GREEDY = {"temperature": 0.0, "top_p": 1.0}
Change = Callable[[dict[str, Any]], None]
FACTS = {"model", "cpu", "cores", "ram_mb", "os", "os_version", "abi", "soc", "kernel", "governor", "hypervisor"}
FACTS |= {"kernels", "temperature_c", "load_1m"}


def reference_text(bundle: Path, **request: Any) -> str:
    """What the Python runtime generates."""
    pieces: list[str] = []
    asked = {"bundle": str(bundle), "action": "generate", **GREEDY, **request}
    act(asked, lambda kind, **fields: pieces.append(fields["text"]))
    return "".join(pieces)


def changed(bundle: Path, to: Path, change: Change) -> Path:
    """A copy whose manifest was changed."""
    folder = copy(bundle, to / "changed")
    manifest = json.loads((folder / "edgekit.json").read_text(encoding="utf-8"))
    change(manifest)
    (folder / "edgekit.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def axis(name: str, value: Any) -> Change:
    """Set one compatibility axis of the first variant."""
    return lambda manifest: manifest["variants"][0]["compatibility"].update({name: value})


# Arrays that a stranger seals into check/, where the format of the file is whole.
ODD_CHECK_DATA: dict[str, tuple[str, dict[str, Any]]] = {
    "a feed of no number": ("inputs", {"first.x": np.zeros((1, 4), np.float32)}),
    "a feed of a number of 30 digits": ("inputs", {f"{'9' * 30}.nothing": np.zeros((1, 4), np.float32)}),
    "an input that there is not": ("inputs", {"0.nothing": np.zeros((1, 4), np.float32)}),
    "an input of text": ("inputs", {"0.x": np.array("text")}),
    "an input of dates": ("inputs", {"0.x": np.zeros(3, "datetime64[s]")}),
    "an input of records": ("inputs", {"0.x": np.zeros(3, [("a", "i4")])}),
    "an input of complex numbers": ("inputs", {"0.x": np.zeros((1, 4), np.complex64)}),
    "an input of 32 dimensions": ("inputs", {"0.x": np.zeros((1,) * 32, np.float32)}),
    "recorded on no JSON": ("goldens", {"recorded_on": np.array('{"kernels": 1')}),
    "recorded on a number": ("goldens", {"recorded_on": np.zeros(1, np.float32)}),
    "recorded on many brackets": ("goldens", {"recorded_on": np.array("[" * 100_000)}),
}


class Answers:
    """Loading, golden answers, measuring, generating."""

    same_kernels = True  # the bundles are recorded by the Python runtime on this machine

    def test_identify(self, runtime: Runtime, tensor_bundle: Path) -> None:
        facts = runtime.act("identify", tensor_bundle).outcome["device"]
        assert set(facts) == FACTS
        assert facts["os"] == "linux" and facts["cores"] >= 1 and facts["ram_mb"] > 0

    def test_load(self, runtime: Runtime, tensor_bundle: Path, llm_bundle: Path) -> None:
        for bundle, kind in ((tensor_bundle, "tensor"), (llm_bundle, "llm")):
            found = LoadOutcome.model_validate(runtime.act("load", bundle, evict=True).outcome)
            assert found.kind == kind and found.load_s > 0
            assert found.page_cache == "cold" or found.page_cache.startswith("warm: ")
        kept = LoadOutcome.model_validate(runtime.act("load", tensor_bundle).outcome)
        assert kept.page_cache == "warm: not evicted"

    def test_goldens_of_tensors(self, runtime: Runtime, tensor_bundle: Path) -> None:
        answered = runtime.act("goldens", tensor_bundle).outcome
        found = GoldensOutcome.model_validate(answered["goldens"])
        assert found.passed and found.compared == 12 and found.same_kernels == self.same_kernels
        assert found.worst is not None and found.worst > 0.9999
        assert found.recorded_on["ep"] == "cpu"
        assert answered["engines"]["onnxruntime"] == ort.__version__

    def test_goldens_of_an_llm(self, runtime: Runtime, llm_bundle: Path) -> None:
        answered = runtime.act("goldens", llm_bundle).outcome
        found = GoldensOutcome.model_validate(answered["goldens"])
        assert found.passed and found.worst == 1 and found.compared > 16
        assert answered["engines"]["onnxruntime-genai"]

    def test_goldens_of_an_llm_that_gives_the_last_logits_only(self, runtime: Runtime, pruned_bundle: Path) -> None:
        found = GoldensOutcome.model_validate(runtime.act("goldens", pruned_bundle).outcome["goldens"])
        assert found.passed and found.compared > 16

    def test_function_calls(self, runtime: Runtime, calling_bundle: Path, tmp_path: Path) -> None:
        found = GoldensOutcome.model_validate(runtime.act("goldens", calling_bundle).outcome["goldens"])
        assert found.passed, found.mismatches
        assert found.function_calls == CallsOutcome(asked=2, parsed=2, reason="")
        broken = copy(calling_bundle, tmp_path / "broken")
        cases = json.loads((broken / CALLS).read_text(encoding="utf-8"))
        cases["cases"][0]["schema"] = {"type": "object", "properties": {}, "additionalProperties": False}
        (broken / CALLS).write_text(json.dumps(cases), encoding="utf-8")
        found = GoldensOutcome.model_validate(runtime.act("goldens", broken).outcome["goldens"])
        assert not found.passed and found.function_calls == CallsOutcome(asked=2, parsed=1, reason="")
        assert found.mismatches[0].startswith("function call simple_python_0: no call in '{")
        (broken / CALLS).write_text("{", encoding="utf-8")
        assert "function_calls.json cannot be read" in runtime.act("goldens", broken).error["message"]

    def test_a_wrong_token_is_found(self, runtime: Runtime, llm_bundle: Path, tmp_path: Path) -> None:
        bundle = copy(llm_bundle, tmp_path / "wrong")
        goldens = npz.read(bundle / "check/goldens.npz")
        sure = np.flatnonzero(goldens["margin"] > 0.5)
        top1 = goldens["top1"].copy()
        top1[sure[:7]] += 1
        npz.write(bundle / "check/goldens.npz", goldens | {"top1": top1})
        found = GoldensOutcome.model_validate(runtime.act("goldens", bundle).outcome["goldens"])
        assert not found.passed and found.mismatch_count == 7 and len(found.mismatches) == 5
        assert found.mismatches[0].startswith(f"position {sure[0]}: token {top1[sure[0]] - 1} instead of")
        assert found.worst == pytest.approx(1 - 7 / len(sure))

    def test_a_wrong_tensor_is_found(self, runtime: Runtime, tensor_bundle: Path, tmp_path: Path) -> None:
        bundle = copy(tensor_bundle, tmp_path / "wrong")
        goldens = npz.read(bundle / "check/goldens.npz")
        scores = goldens["0.scores"]
        goldens["0.scores"] = -scores  # another direction
        goldens["1.scores"] = goldens["1.scores"] * 2  # the right direction, another length
        goldens["shape.2.scores"] = np.array([1, CLASSES + 1], dtype=np.int64)
        goldens["3.best"] = goldens["3.best"] + 1
        npz.write(bundle / "check/goldens.npz", goldens)
        found = GoldensOutcome.model_validate(runtime.act("goldens", bundle).outcome["goldens"])
        assert found.mismatch_count == 4 and found.worst == pytest.approx(-1)
        direction, length, shape, best = found.mismatches
        assert direction.startswith("input 0, output 'scores': cosine -1.0000, at least")
        assert length == "input 1, output 'scores': 0.5 times as long as it was"
        assert shape.startswith("input 2, output 'scores': the shape [1")
        assert best.startswith("input 3, output 'best': cosine 0.0000")

    def test_answers_of_random_numbers_are_held_against_shapes(
        self, runtime: Runtime, tensor_bundle: Path, tmp_path: Path
    ) -> None:
        """No value of `scores` is a golden, then no value at all; a shape that is off is a mismatch all the same."""
        bundle = copy(tensor_bundle, tmp_path / "bundle")
        goldens = npz.read(bundle / "check/goldens.npz")
        some = {key: array for key, array in goldens.items() if not (key[0].isdigit() and key.endswith(".scores"))}
        none = {key: array for key, array in goldens.items() if not key[0].isdigit()}
        off = {"shape.2.scores": np.array([1, CLASSES + 1], dtype=np.int64)}
        for kept in (some, none):
            compared = sum(key[0].isdigit() for key in kept)
            npz.write(bundle / "check/goldens.npz", kept)
            held = GoldensOutcome.model_validate(runtime.act("goldens", bundle).outcome["goldens"])
            assert held.passed and held.compared == compared and (held.worst is None) == (compared == 0)
            npz.write(bundle / "check/goldens.npz", kept | off)
            held = GoldensOutcome.model_validate(runtime.act("goldens", bundle).outcome["goldens"])
            assert not held.passed and held.mismatch_count == 1 and held.compared == compared
            assert held.mismatches[0].startswith("input 2, output 'scores': the shape [1")

    def test_rows_that_the_model_counts_are_compared_as_sets(
        self, runtime: Runtime, tensor_bundle: Path, tmp_path: Path
    ) -> None:
        """Input 3 has two rows: in another order, or one more, they agree; none of them, or all others, do not."""
        bundle = copy(tensor_bundle, tmp_path / "rows")
        goldens, rows = npz.read(bundle / "check/goldens.npz"), {"rows.best": np.zeros(1, np.int64)}
        best, scores = goldens["3.best"], goldens["3.scores"].reshape(2, CLASSES)

        def held(changed: npz.Arrays) -> GoldensOutcome:
            npz.write(bundle / "check/goldens.npz", goldens | changed)
            return GoldensOutcome.model_validate(runtime.act("goldens", bundle).outcome["goldens"])

        def of(values: list[int]) -> npz.Arrays:
            return {"3.best": np.array(values, np.int64), "shape.3.best": np.array([len(values)], np.int64)}

        turned, longer = of(best[::-1].tolist()), of([*best.tolist(), 7])
        assert held(rows | turned).passed and held(rows | longer).passed
        assert not held(longer).passed and held(rows | of([7, 8])).mismatches[0].startswith("output 'best': F1 of its")
        assert held(rows | of([*best.tolist(), 7, 8, 9])).mismatches[0].startswith("output 'best': F1 of its rows 0.7")
        other = held(rows | {"shape.3.best": np.array([2, 1], np.int64)})
        assert other.mismatches[0].startswith("input 3, output 'best': the shape [2")
        npz.write(bundle / "check/goldens.npz", goldens | {"rows.best": np.array(["first"])})
        assert "of another type" in runtime.act("goldens", bundle).error["message"]
        shorter = {"3.scores": scores[0], "shape.3.scores": np.array([1, CLASSES], np.int64)}
        assert held(shorter | {"rows.scores": np.zeros(1, np.int64)}).passed and not held(shorter).passed
        wrong = {"3.scores": -goldens["3.scores"], "rows.scores": np.zeros(1, np.int64)}
        assert "cosine -1.0000" in held(wrong).mismatches[0]

    def test_the_dust_of_rounding_is_not_compared(self, runtime: Runtime, tensor_bundle: Path, tmp_path: Path) -> None:
        bundle = copy(tensor_bundle, tmp_path / "dust")
        inputs, goldens = (npz.read(bundle / f"check/{name}.npz") for name in ("inputs", "goldens"))
        npz.write(bundle / "check/inputs.npz", inputs | {"0.x": inputs["0.x"] * np.float32(1e-6)})
        for sign, passed in ((-1e-6, True), (-1e-2, False)):
            npz.write(bundle / "check/goldens.npz", goldens | {"0.scores": goldens["0.scores"] * np.float32(sign)})
            found = GoldensOutcome.model_validate(runtime.act("goldens", bundle).outcome["goldens"])
            assert found.passed is passed, found.mismatches

    def test_every_golden_case(self, runtime: Runtime, case_bundle: Path, tmp_path: Path) -> None:
        """golden_cases.py: what agrees passes, and of what does not each output is named with its reason."""
        bundle, recorded = copy(case_bundle, tmp_path / "cases"), tmp_path / "recorded.npz"
        runtime.act("record", bundle, goldens=str(recorded))
        where = {"recorded_on": npz.read(recorded)["recorded_on"]}  # the same kernels

        def held_to(names: list[str]) -> GoldensOutcome:
            npz.write(bundle / "check/goldens.npz", golden_cases.goldens(names) | where)
            return GoldensOutcome.model_validate(runtime.act("goldens", bundle).outcome["goldens"])

        wrong = golden_cases.wrong_names()
        found = held_to([name for name in golden_cases.CASES if name not in wrong])
        assert found.passed, found.mismatches
        assert found.compared > 50
        found = held_to(wrong)  # each wrong case is one mismatch
        assert not found.passed and found.mismatch_count == len(wrong)
        for at in range(0, len(wrong), 5) if self.same_kernels else ():  # so many are named; an emulated CPU is slow
            few = wrong[at : at + 5]
            found = held_to(few)
            assert not found.passed and found.mismatch_count == len(few), (few, found.mismatches)
            said = {line.split("'")[1]: line for line in found.mismatches}
            for name in few:
                assert golden_cases.CASES[name].wrong in said[golden_cases.output(name)], name

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"top1": np.ones(3, np.float32)}, "top1"),
            ({"margin": np.array(["much"])}, "margin"),
            ({"margin": np.ones(3, np.float32)}, "two lengths"),
        ],
    )
    def test_goldens_that_are_none(
        self, runtime: Runtime, llm_bundle: Path, tmp_path: Path, change: dict[str, Any], says: str
    ) -> None:
        bundle = copy(llm_bundle, tmp_path / "damaged")
        npz.write(bundle / "check/goldens.npz", npz.read(bundle / "check/goldens.npz") | change)
        error = runtime.act("goldens", bundle).error
        assert error["code"] == "bundle" and says in error["message"]

    def test_a_margin_that_is_no_number_excuses_nothing(
        self, runtime: Runtime, llm_bundle: Path, tmp_path: Path
    ) -> None:
        bundle = copy(llm_bundle, tmp_path / "nan")
        goldens = npz.read(bundle / "check/goldens.npz")
        lost = {"margin": np.full_like(goldens["margin"], np.nan), "top1": goldens["top1"] + 1}
        npz.write(bundle / "check/goldens.npz", goldens | lost)
        found = GoldensOutcome.model_validate(runtime.act("goldens", bundle).outcome["goldens"])
        assert found.compared == found.mismatch_count == len(goldens["top1"]) and found.worst == 0

    def test_record(self, runtime: Runtime, llm_bundle: Path, tensor_bundle: Path, tmp_path: Path) -> None:
        for bundle in (llm_bundle, tensor_bundle):
            path = tmp_path / f"{bundle.name}.npz"
            found = runtime.act("record", bundle, goldens=str(path)).outcome
            assert found["recorded"] > 10
            here, there = npz.read(path), npz.read(bundle / "check/goldens.npz")
            assert here.keys() == there.keys()
            for name in here.keys() - {"recorded_on"}:
                assert here[name].dtype == there[name].dtype and here[name].shape == there[name].shape
                np.testing.assert_allclose(here[name], there[name], rtol=1e-3, atol=1e-4)
            same = json.loads(str(here["recorded_on"])) == json.loads(str(there["recorded_on"]))
            assert same == self.same_kernels

    def test_bench_of_tensors(self, runtime: Runtime, tensor_bundle: Path) -> None:
        answered = runtime.act("bench", tensor_bundle, plan=quick_plan(tensor_bundle))
        found = BenchOutcome.model_validate(answered.outcome)
        assert set(found.samples) == {"latency_ms"} and not found.skipped
        assert len(found.samples["latency_ms"]) == found.trials >= 12
        assert min(found.samples["latency_ms"]) > 0
        assert [one.phase for one in found.memory] == ["loaded", "warm", "measured"]
        _check_conditions(found)
        assert {"event": "progress", "text": "warming up"} in answered.events

    def test_bench_of_an_llm(self, runtime: Runtime, llm_bundle: Path) -> None:
        plan = quick_plan(llm_bundle, prompts=(20, 40, MAX_LENGTH))
        answered = runtime.act("bench", llm_bundle, plan=plan)
        found = BenchOutcome.model_validate(answered.outcome)
        assert {name: len(values) for name, values in found.samples.items()} == {
            "ttft_ms@pp20": 2,
            "ttft_ms@pp40": 2,
            "prefill_tps@pp20": 2,
            "prefill_tps@pp40": 2,
            "decode_tps": 2,
            "itl_ms": 2 * 8,
        }
        assert list(found.skipped) == [f"pp{MAX_LENGTH}"] and "max_length is 128" in found.skipped[f"pp{MAX_LENGTH}"]
        assert found.trials == 2
        assert [one.phase for one in found.memory] == ["loaded", "warm", "trial 1", "trial 2"]
        _check_conditions(found)
        assert [one["text"] for one in answered.events] == ["warming up", "trial 1 of 2 to 2", "trial 2 of 2 to 2"]

    def test_bench_of_a_plan_that_does_not_fit(self, runtime: Runtime, llm_bundle: Path) -> None:
        plan = quick_plan(llm_bundle, prompts=(MAX_LENGTH,))
        found = BenchOutcome.model_validate(runtime.act("bench", llm_bundle, plan=plan).outcome)
        assert not found.samples and found.warmup is None and found.trials == 0 and len(found.skipped) == 1

    def test_bench_at_depths(self, runtime: Runtime, llm_bundle: Path) -> None:
        plan = quick_plan(llm_bundle, prompts=(20,), depths=(0, 20, 60, MAX_LENGTH - 5))
        found = BenchOutcome.model_validate(runtime.act("bench", llm_bundle, plan=plan).outcome)
        assert {name: len(values) for name, values in found.samples.items()} == {
            "ttft_ms@pp20": 2,
            "prefill_tps@pp20": 2,
            "decode_tps": 2,
            "decode_tps@d20": 2,
            "decode_tps@d60": 2,
            "itl_ms": 2 * 8,
        }
        assert list(found.skipped) == [f"d{MAX_LENGTH - 5}"]

    def test_bench_for_a_long_time(self, runtime: Runtime, llm_bundle: Path, tensor_bundle: Path) -> None:
        wanted = {
            llm_bundle: {"ttft_ms@pp20", "prefill_tps@pp20", "decode_tps"},
            tensor_bundle: {"throughput_ips", "latency_ms"},
        }
        for bundle, names in wanted.items():
            plan = quick_plan(bundle, sustain_s=0.2)
            found = BenchOutcome.model_validate(runtime.act("bench", bundle, plan=plan).outcome)
            assert set(found.samples) == names and found.warmup is None
            assert {len(values) for values in found.samples.values()} == {found.trials}
            assert [one.phase for one in found.memory] == ["loaded", "warm", "sustained"]
            _check_watch(found.watch)

    def test_generate(self, runtime: Runtime, llm_bundle: Path) -> None:
        request = {"prompt": "the café and", "max_tokens": 30}
        answered = runtime.act("generate", llm_bundle, **GREEDY, **request)
        said = "".join(event["text"] for event in answered.events if event["event"] == "piece")
        assert said == reference_text(llm_bundle, **request) and len(said) > 20
        assert answered.outcome["reason"] == "length"
        assert answered.outcome["tokens"] == 30 and answered.outcome["prompt_tokens"] == 6
        assert answered.outcome["ttft_ms"] > 0 and answered.outcome["decode_tps"] > 0

    @pytest.mark.parametrize("prompt", ["the café and", "the café and " * 3, "the café and " * 4])
    def test_a_text_that_grows_past_a_border_is_read_anew(
        self, runtime: Runtime, bordered_bundle: Path, tmp_path: Path, prompt: str
    ) -> None:
        """Each token is the one that the model chooses after the whole text before it; without the border it is not."""
        llm = open_bundle(bordered_bundle)
        assert isinstance(llm, LlmBundle)
        ids = llm.encode(prompt)
        fresh = list(ids)
        while len(fresh) < len(ids) + 30:
            fresh.append(int(llm.logits(fresh)[-1].argmax()))
        request = {"prompt": prompt, "max_tokens": 30}

        def said(bundle: Path) -> str:
            events = runtime.act("generate", bundle, **GREEDY, **request).events
            return "".join(event["text"] for event in events if event["event"] == "piece")

        assert said(bordered_bundle) == llm.decode(fresh[len(ids) :])
        lacks = copy(bordered_bundle, tmp_path / "lacks")
        reseal(lacks, lambda manifest: manifest["contract"].pop("reread_beyond"))
        grows = len(ids) <= BORDER < len(ids) + 30
        assert (said(lacks) == said(bordered_bundle)) != grows

    def test_the_goldens_of_a_text_beyond_a_border(self, runtime: Runtime, bordered_bundle: Path) -> None:
        outcome = GoldensOutcome.model_validate(runtime.act("goldens", bordered_bundle).outcome["goldens"])
        assert outcome.passed and outcome.compared > 0

    def test_a_plain_text_begins_as_the_tokenizer_has_it(self, runtime: Runtime, begun_bundle: Path) -> None:
        """Once; and a conversation as its template writes it. The ids are transformers'."""
        from transformers import AutoTokenizer

        theirs: Any = AutoTokenizer.from_pretrained(next(begun_bundle.glob("model/*")))
        texts = ["the café and", "", " in\n\n12", "<|user|>é<|end|>"]
        ours = [runtime.act("encode", begun_bundle, text=text).outcome["ids"] for text in texts]
        assert ours == [theirs(text)["input_ids"] for text in texts] and ours[1] == [END]
        twice = runtime.act("encode", begun_bundle, text="<|end|>the").outcome["ids"]
        assert twice == theirs("the")["input_ids"] == theirs("<|end|>the")["input_ids"][1:]
        messages = [{"role": "user", "content": "hé"}]
        for asked, ids in (
            ({"messages": messages}, theirs.apply_chat_template(messages, add_generation_prompt=True)),
            ({"prompt": "the café and"}, ours[0]),
        ):
            answered = runtime.act("generate", begun_bundle, **GREEDY, max_tokens=20, **asked)
            llm = open_bundle(begun_bundle)
            assert isinstance(llm, LlmBundle)
            fresh = list(ids)
            while len(fresh) < len(ids) + 20:
                fresh.append(int(llm.logits(fresh)[-1].argmax()))
            said = "".join(event["text"] for event in answered.events if event["event"] == "piece")
            assert answered.outcome["prompt_tokens"] == len(ids) and said == llm.decode(fresh[len(ids) :])

    def test_generate_stops_before_a_stop_string(self, runtime: Runtime, llm_bundle: Path) -> None:
        request = {"prompt": "the café and", "max_tokens": 30}
        said = reference_text(llm_bundle, **request)
        stop = said[6:9]
        answered = runtime.act("generate", llm_bundle, **GREEDY, stop=["never", stop], **request)
        assert "".join(event["text"] for event in answered.events) == said[: said.index(stop)]
        assert answered.outcome["reason"] == "stop" and answered.outcome["tokens"] < 30

    def test_generate_from_a_conversation_to_the_bundle_s_limit(self, runtime: Runtime, llm_bundle: Path) -> None:
        request = {"messages": [{"role": "user", "content": "hé"}], "max_tokens": 1000}
        answered = runtime.act("generate", llm_bundle, **GREEDY, **request)
        found = answered.outcome
        assert found["reason"] in ("max_length", "eos")
        assert found["prompt_tokens"] + found["tokens"] <= MAX_LENGTH
        assert "".join(one["text"] for one in answered.events) == reference_text(llm_bundle, **request)

    def test_tensors_with_a_state(self, runtime: Runtime, tensor_bundle: Path, tmp_path: Path) -> None:
        feed = {"0.x": np.ones((1, 3, 8, 8), np.float32), "1.x": np.full((2, 3, 8, 8), 0.5, np.float32)}
        npz.write(tmp_path / "in.npz", feed)
        paths = {"inputs": str(tmp_path / "in.npz"), "outputs": str(tmp_path / "out.npz")}
        found = runtime.act("tensors", tensor_bundle, **paths).outcome
        assert found["labels"] == [f"class {at}" for at in range(CLASSES)]
        assert len(found["latency_ms"]) == 2 and min(found["latency_ms"]) > 0
        session = ort.InferenceSession(str(tensor_bundle / "model/portable/model.onnx"))
        outputs = npz.read(tmp_path / "out.npz")
        for at in range(2):
            names = ["scores", "best", "sure"]
            for name, wanted in zip(names, session.run(names, {"x": feed[f"{at}.x"]}), strict=True):
                assert outputs[f"{at}.{name}"].dtype == wanted.dtype
                np.testing.assert_allclose(outputs[f"{at}.{name}"], wanted, rtol=1e-4, atol=1e-5)

    def test_encode(self, runtime: Runtime, llm_bundle: Path) -> None:
        assert runtime.act("encode", llm_bundle, text="the café<|end|>").outcome["ids"] == [257, 32, 267, 265, END]


class Refusals:
    """What cannot be run is refused with the same code and axis everywhere."""

    @pytest.mark.parametrize(
        ("change", "code", "blamed"),
        [
            *(
                (lambda manifest, other=other: manifest.update(format=other), "bundle", "format")
                for other in ("2.0", "1.0", "1.1-draft", "1.0-draft2", "0.9", "1.0-draft ", "one", "", "1.0-draft\n")
            ),
            (lambda manifest: manifest.update(format="2.0", variants="of another form"), "bundle", "format"),
            (lambda manifest: manifest.update(format=1.0), "bundle", ""),
            (lambda manifest: manifest.update(format=None), "bundle", ""),
            (lambda manifest: manifest.update(format=["1.0-draft"]), "bundle", ""),
            (lambda manifest: manifest.pop("format"), "bundle", ""),
            (lambda manifest: manifest.update(requires=["telepathy"]), "bundle", "requires"),
            (lambda manifest: manifest["contract"].update(kind="dream"), "bundle", "requires"),
            (axis("os", ["plan9"]), "bundle", "os"),
            (axis("abi", ["riscv64"]), "bundle", "abi"),
            (axis("soc", ["SM8650"]), "bundle", "soc"),
            (axis("htp_arch", "75"), "bundle", "htp_arch"),
            (axis("qairt", "2.51.0"), "bundle", "qairt"),
            (axis("min_onnxruntime", "99.1"), "bundle", "min_onnxruntime"),
            (lambda manifest: manifest["variants"][0].update(ep="coreml"), "bundle", "ep"),
            (lambda manifest: manifest["variants"][0].update(ep="abacus"), "bundle", "ep"),
            (lambda manifest: manifest["variants"][0].update(path="../outside.onnx"), "bundle", ""),
            (lambda manifest: manifest["variants"][0].update(path="/etc/hostname"), "bundle", ""),
            (lambda manifest: manifest["variants"][0].update(path="model\\portable"), "bundle", ""),
            (lambda manifest: manifest["variants"][0].update(path="model/gone.onnx"), "bundle", ""),
            (lambda manifest: manifest["files"].append(_file("model/gone.bin", 1)), "bundle", ""),
            (lambda manifest: manifest["files"].append(_file("model/portable/model.onnx", 1)), "bundle", ""),
            (lambda manifest: manifest.update(variants=[]), "bundle", ""),
            (lambda manifest: manifest.update(variants="all"), "bundle", ""),
            (lambda manifest: manifest.update(contract=[]), "bundle", ""),
            (lambda manifest: manifest.pop("contract"), "bundle", ""),
            (lambda manifest: manifest.update(variants=["portable"]), "bundle", ""),
            (lambda manifest: manifest["variants"][0].pop("name"), "bundle", ""),
            (lambda manifest: manifest["variants"][0].update(path=3), "bundle", ""),
            (lambda manifest: manifest["variants"][0].update(path="model/" + "x" * 5000), "bundle", ""),
            (lambda manifest: manifest["variants"][0].update(path="model/portable/model.onnx\0"), "bundle", ""),
            (lambda manifest: manifest["variants"][0].update(compatibility="all"), "bundle", ""),
            (lambda manifest: manifest["files"].append({"role": "model"}), "bundle", ""),
            (lambda manifest: manifest["files"].append(_file("model/portable/model.onnx", -1)), "bundle", ""),
            (lambda manifest: manifest["files"].append(3), "bundle", ""),
            (axis("os", "plan9"), "bundle", ""),
        ],
    )
    def test_a_manifest(
        self, runtime: Runtime, tensor_bundle: Path, tmp_path: Path, change: Change, code: str, blamed: str
    ) -> None:
        error = runtime.act("load", changed(tensor_bundle, tmp_path, change)).error
        assert (error["code"], error.get("axis", "")) == (code, blamed), error
        assert error["message"] and "\n" not in error["message"]

    def test_signatures_beside_what_the_manifest_lists_are_no_fault(
        self, runtime: Runtime, tensor_bundle: Path, tmp_path: Path
    ) -> None:
        folder = copy(tensor_bundle, tmp_path / "signed")
        (folder / "signatures").mkdir()
        (folder / "signatures" / "release.sig").write_bytes(b"what a signer wrote")
        assert runtime.act("load", folder).outcome

    def test_a_genai_that_is_too_old(self, runtime: Runtime, llm_bundle: Path, tmp_path: Path) -> None:
        error = runtime.act("load", changed(llm_bundle, tmp_path, axis("min_onnxruntime_genai", "99.0"))).error
        assert (error["code"], error["axis"]) == ("bundle", "min_onnxruntime_genai")

    @pytest.mark.parametrize(
        "text", ["", "{", "[]", "3", '{"format": "1.0-draft"}', "[" * 100_000, '"' + "x" * 2**23 + '"']
    )
    def test_a_manifest_that_is_none(self, runtime: Runtime, tmp_path: Path, text: str) -> None:
        (tmp_path / "edgekit.json").write_text(text, encoding="utf-8")
        assert runtime.act("load", tmp_path).error["code"] == "bundle"

    def test_a_folder_that_is_no_bundle(self, runtime: Runtime, tmp_path: Path) -> None:
        assert runtime.act("load", tmp_path).error["code"] == "bundle"

    def test_a_foreign_bundle_runs_where_it_is_asked_for(
        self, runtime: Runtime, tensor_bundle: Path, tmp_path: Path
    ) -> None:
        def elsewhere(manifest: dict[str, Any]) -> None:
            axes = {"os": ["plan9"], "abi": ["riscv64"], "min_onnxruntime": "99.1"}  # its packages, not this machine's
            manifest["variants"][0]["compatibility"].update(axes)
            manifest["variants"][0].update(ep="qnn", ep_options={"htp_arch": "75"})
            compiled = {**manifest["variants"][0], "name": "sm8650", "path": "model/gone.onnx"}
            compiled["compatibility"] = {**compiled["compatibility"], "soc": ["SM8650"]}
            manifest["variants"].insert(0, compiled)

        bundle = changed(tensor_bundle, tmp_path, elsewhere)
        assert runtime.act("load", bundle).error["axis"] == "os"
        assert runtime.act("load", bundle, foreign=True).outcome["kind"] == "tensor"

    def test_the_first_variant_that_fits_is_taken(self, runtime: Runtime, tensor_bundle: Path, tmp_path: Path) -> None:
        def two(manifest: dict[str, Any]) -> None:
            first = {**manifest["variants"][0], "name": "sm8650", "path": "model/gone.onnx"}
            first["compatibility"] = {**first["compatibility"], "soc": ["SM8650"]}
            manifest["variants"].insert(0, first)

        bundle = changed(tensor_bundle, tmp_path, two)
        assert runtime.act("load", bundle).outcome["kind"] == "tensor"
        assert runtime.act("load", bundle, variant="sm8650").error["axis"] == "soc"
        error = runtime.act("load", bundle, variant="sm9999").error
        assert error["code"] == "usage" and "sm8650, portable" in error["next"]

    def test_changed_files(self, runtime: Runtime, tensor_bundle: Path, tmp_path: Path) -> None:
        bundle = copy(tensor_bundle, tmp_path / "damaged")
        labels = bundle / "model/portable/labels.txt"
        labels.write_bytes(labels.read_bytes().replace(b"0", b"9"))
        assert runtime.act("load", bundle).outcome["kind"] == "tensor"  # a quick look compares sizes
        error = runtime.act("load", bundle, hashes=True).error
        assert error["code"] == "bundle" and "labels.txt" in error["message"] and "sha256" in error["message"]
        assert runtime.act("load", tensor_bundle, hashes=True).outcome["kind"] == "tensor"

    def test_a_model_that_the_engine_cannot_open(
        self, runtime: Runtime, tensor_bundle: Path, llm_bundle: Path, tmp_path: Path
    ) -> None:
        for bundle in (tensor_bundle, llm_bundle):
            damaged = copy(bundle, tmp_path / bundle.name)
            model = damaged / "model/portable/model.onnx"
            was = model.read_bytes()
            model.write_bytes(was.replace(b"MatMul", b"MatMuh"))  # an operator that no engine has
            assert model.read_bytes() != was
            error = runtime.act("load", damaged).error
            assert error["code"] == "bundle" and "cannot open the model" in error["message"]

    @pytest.mark.parametrize(("file", "arrays"), [pytest.param(*row, id=name) for name, row in ODD_CHECK_DATA.items()])
    def test_check_data_of_another_form(
        self, runtime: Runtime, tensor_bundle: Path, tmp_path: Path, file: str, arrays: dict[str, Any]
    ) -> None:
        """Sealed as they are, so nothing but the runtime meets them: each ends in an outcome, with a next step."""
        bundle = copy(tensor_bundle, tmp_path / "bundle")
        kept = npz.read(bundle / f"check/{file}.npz")
        npz.write(bundle / f"check/{file}.npz", kept | arrays)
        error = runtime.act("goldens", bundle).error
        assert error["code"] == "bundle" and error["message"] and error["next"]

    @pytest.mark.parametrize(("descr", "size"), [("<f4", 10**12), ("<f4", 2**61 + 1), ("<U0", 10**10), ("|V0", 10**10)])
    def test_check_data_that_claims_more_than_it_holds(
        self, runtime: Runtime, tensor_bundle: Path, tmp_path: Path, descr: str, size: int
    ) -> None:
        """Nothing makes room for what a header says."""
        bundle = copy(tensor_bundle, tmp_path / "bundle")
        header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({size},), }}"
        with zipfile.ZipFile(bundle / "check/inputs.npz", "w") as archive:
            archive.writestr("0.x.npy", b"\x93NUMPY\x01\x00v\x00" + header.ljust(117).encode() + b"\n")
        error = runtime.act("goldens", bundle).error
        assert error["code"] == "bundle" and "memory" not in error["message"], error

    @pytest.mark.parametrize("how", ["cut", "changed", "no zip"])
    def test_goldens_that_cannot_be_read(self, runtime: Runtime, tensor_bundle: Path, tmp_path: Path, how: str) -> None:
        bundle = copy(tensor_bundle, tmp_path / "damaged")
        path = bundle / "check/goldens.npz"
        raw = path.read_bytes()
        at = raw.index(b"NUMPY") + 300
        damaged = {"cut": raw[: len(raw) // 2], "no zip": b"hello", "changed": raw[:at] + b"?" + raw[at + 1 :]}
        path.write_bytes(damaged[how])
        error = runtime.act("goldens", bundle).error
        assert error["code"] == "bundle" and "goldens.npz cannot be read" in error["message"]

    @pytest.mark.parametrize(
        ("name", "array", "says"),
        [
            ("0.x", np.ones((1, 3, 8, 8)), "is float64"),
            ("0.x", np.ones((1, 3, 8), np.float32), "has the shape [1, 3, 8]"),
            ("0.x", np.ones((1, 4, 8, 8), np.float32), "has the shape [1, 4, 8, 8]"),
            ("0.x", np.array(["a"]), "the input 'x' is "),
            ("0.y", np.ones(3, np.float32), "no input 'y'"),
        ],
    )
    def test_a_wrong_feed(
        self,
        runtime: Runtime,
        tensor_bundle: Path,
        tmp_path: Path,
        name: str,
        array: np.ndarray[Any, Any],
        says: str,
    ) -> None:
        npz.write(tmp_path / "in.npz", {name: array})
        paths = {"inputs": str(tmp_path / "in.npz"), "outputs": str(tmp_path / "out.npz")}
        error = runtime.act("tensors", tensor_bundle, **paths).error
        assert error["code"] == "usage" and says in error["message"]
        assert not (tmp_path / "out.npz").exists()

    def test_a_feed_without_an_input(self, runtime: Runtime, tensor_bundle: Path, tmp_path: Path) -> None:
        npz.write(tmp_path / "in.npz", {"0.": np.ones(3, np.float32)})
        paths = {"inputs": str(tmp_path / "in.npz"), "outputs": str(tmp_path / "out.npz")}
        assert runtime.act("tensors", tensor_bundle, **paths).error["code"] == "usage"

    @pytest.mark.parametrize("prompt", ["", "the " * 200])
    def test_a_prompt_that_does_not_fit(self, runtime: Runtime, llm_bundle: Path, prompt: str) -> None:
        error = runtime.act("generate", llm_bundle, prompt=prompt, max_tokens=5, **GREEDY).error
        assert error["code"] == "usage" and "prompt" in error["message"]

    def test_a_bundle_of_the_other_kind(self, runtime: Runtime, llm_bundle: Path, tensor_bundle: Path) -> None:
        assert runtime.act("tensors", llm_bundle, inputs="x", outputs="y").error["code"] == "usage"
        assert runtime.act("encode", tensor_bundle, text="x").error["code"] == "usage"
        error = runtime.act("generate", tensor_bundle, prompt="x", max_tokens=1, **GREEDY).error
        assert error["code"] == "usage" and error["next"]

    def test_a_schema_that_is_none(self, runtime: Runtime, llm_bundle: Path) -> None:
        request = {"prompt": "the", "max_tokens": 5, "json_schema": {"type": "nonsense"}}
        error = runtime.act("generate", llm_bundle, **GREEDY, **request).error
        assert error["code"] == "usage" and "JSON schema is not accepted" in error["message"]

    @pytest.mark.parametrize("name", ["abd", "../abc", ""])
    def test_an_adapter_that_the_bundle_has_not(
        self, runtime: Runtime, worn_bundle: Path, llm_bundle: Path, name: str
    ) -> None:
        error = runtime.act("generate", worn_bundle, prompt="the", max_tokens=3, adapter=name, **GREEDY).error
        assert error["code"] == "usage" and f"has no adapter '{name}'" in error["message"]
        assert "one of: abc, xyz" in error["next"]
        error = runtime.act("generate", llm_bundle, prompt="the", max_tokens=3, adapter="abc", **GREEDY).error
        assert error["code"] == "usage" and "--adapter NAME=FOLDER" in error["next"]

    def test_an_adapter_is_put_on_for_one_answer(self, runtime: Runtime, worn_bundle: Path, llm_bundle: Path) -> None:
        def said(bundle: Path, **more: str) -> str:
            result = runtime.act("generate", bundle, prompt="the cat", max_tokens=6, **GREEDY, **more)
            assert not result.error
            return "".join(event["text"] for event in result.events if event["event"] == "piece")

        plain = said(worn_bundle)
        assert plain == said(llm_bundle)  # what is there and not on changes nothing
        for name in ("abc", "xyz"):
            answer = said(worn_bundle, adapter=name)
            assert len(answer) == 6 and {*answer} <= {*name[:2]} and answer != plain

    def test_an_action_that_is_none(self, runtime: Runtime, tensor_bundle: Path) -> None:
        assert runtime.act("dance", tensor_bundle).error["code"] == "usage"


class Endings:
    """A process that nobody waits for ends by itself; the fixture `program` starts it."""

    def test_after_its_time(self, program: Program, llm_bundle: Path, tmp_path: Path) -> None:
        request = full("bench", llm_bundle, {"plan": endless(llm_bundle), "timeout_s": 3})
        process = program.start(tmp_path, request)
        process.communicate(timeout=120)
        assert process.returncode != 0 and not (tmp_path / "outcome.json").exists()

    def test_in_time(self, program: Program, tensor_bundle: Path) -> None:
        assert program.act("load", tensor_bundle, timeout_s=600).outcome["kind"] == "tensor"

    def test_with_its_reader(self, program: Program, llm_bundle: Path, tmp_path: Path) -> None:
        process = program.start(tmp_path, full("bench", llm_bundle, {"plan": endless(llm_bundle)}))
        assert process.stdout is not None and process.stderr is not None
        assert "warming up" in process.stdout.readline()
        process.stdout.close()
        process.stderr.close()
        assert process.wait(timeout=120) != 0 and not (tmp_path / "outcome.json").exists()

    @needs.linux
    def test_with_its_parent(self, program: Program, llm_bundle: Path, tmp_path: Path) -> None:
        (tmp_path / "request.json").write_text(json.dumps(full("bench", llm_bundle, {"plan": endless(llm_bundle)})))
        script = "import subprocess, sys; p = subprocess.Popen(sys.argv[1:]); print(p.pid, flush=True); p.wait()"
        command = [sys.executable, "-c", script, *program.argv, str(tmp_path / "request.json")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
            assert parent.stdout is not None
            child = psutil.Process(int(parent.stdout.readline()))
            assert "warming up" in parent.stdout.readline()  # it has asked for its parent's death by now
            parent.kill()
            gone, _ = psutil.wait_procs([child], timeout=120)
        assert gone and not (tmp_path / "outcome.json").exists()

    def test_without_a_request(self, program: Program, tmp_path: Path) -> None:
        for text in (None, "{", UNREAD):
            if text is not None:
                (tmp_path / "request.json").write_text(text)
            command = [*program.argv, str(tmp_path / "request.json")]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
            told = (tmp_path / "outcome.json").exists()
            assert done.returncode != 0 and (done.stderr or told) and (text == UNREAD or not told)

    def test_events_are_all_that_stands_on_stdout(self, program: Program, llm_bundle: Path) -> None:
        answered = program.act("bench", llm_bundle, plan=quick_plan(llm_bundle))  # act() parses every line
        assert {event["event"] for event in answered.events} == {"progress"}


UNREAD = '{"action": "load"}'  # a request that names no bundle; a runtime may say so in an outcome


def endless(bundle: Path) -> dict[str, Any]:
    """A plan that runs for an hour."""
    bench = LlmBench(warmup=QUICK, prompts=(20,), new_tokens=9, trials=Trials(min=10**9, max=10**9, max_s=3600))
    return plan_of(bundle).model_copy(update={"bench": bench}).model_dump(mode="json")


def _check_conditions(found: BenchOutcome) -> None:
    assert found.warmup is not None
    assert found.warmup.runs_s
    _check_watch(found.watch)
    assert found.memory and all(one.mb is None or one.mb > 0 for one in found.memory)
    assert found.peak_rss_mb is not None and found.peak_rss_mb > 1


def _check_watch(watch: Watch) -> None:
    assert watch.model_fields_set == set(Watch.model_fields)
    laps = len(watch.other_cores)
    assert laps >= 1 and len(watch.at_s) == len(watch.temperature_c) == len(watch.clock_mhz) == laps + 1
    assert list(watch.at_s) == sorted(watch.at_s) and watch.at_s[0] == 0
    assert watch.seconds == pytest.approx(watch.at_s[-1])


def _file(path: str, size: int) -> dict[str, Any]:
    return {"path": path, "size": size, "sha256": "0" * 64, "role": "model", "variant": "portable"}


class Strangers:
    """No runtime opens a model whose files make an engine run, open or write what is not of the bundle."""

    @pytest.mark.parametrize("injection", INJECTIONS, ids=lambda one: str(one.name))
    def test_a_model(
        self, runtime: Runtime, tensor_bundle: Path, llm_bundle: Path, tmp_path: Path, injection: Injection
    ) -> None:
        bundle = copy(llm_bundle if injection.kind == "llm" else tensor_bundle, tmp_path / "b")
        injection.change(bundle / "model/portable")
        reseal(bundle)
        before = sorted(tmp_path.rglob("*"))
        error = runtime.act("load", bundle).error
        assert error and error["code"] == "bundle", error
        assert injection.file in error["message"] and "is not safe" in error["message"]
        assert injection.word in error["message"].replace('"', "'"), error
        assert error["next"] and "\n" not in error["message"] and len(error["message"]) < 700
        assert sorted(tmp_path.rglob("*")) == before

    @pytest.mark.parametrize(("options", "word"), [pytest.param(*row, id=name) for name, *row in OPTIONS])
    def test_an_option(
        self, runtime: Runtime, tensor_bundle: Path, tmp_path: Path, options: dict[str, str], word: str
    ) -> None:
        def change(manifest: dict[str, Any]) -> None:
            manifest["variants"][0]["ep_options"] = options

        error = runtime.act("load", reseal(copy(tensor_bundle, tmp_path / "b"), change)).error
        assert error["code"] == "bundle" and word in error["message"]

    @pytest.mark.parametrize(
        "text",
        [
            '{"format": "1.0-draft", "format": "1.0-draft"}',
            '{"format": "1.0-draft", "Format": "1.0-draft"}',
            '{"format": NaN}',
            "\ufeff{}",
        ],
    )
    def test_a_manifest_that_is_read_in_two_ways(
        self, runtime: Runtime, tensor_bundle: Path, tmp_path: Path, text: str
    ) -> None:
        bundle = copy(tensor_bundle, tmp_path / "b")
        was = (bundle / "edgekit.json").read_text(encoding="utf-8")
        inside = text.strip("\ufeff{}")
        mark = "\ufeff" if text[0] == "\ufeff" else ""
        whole = mark + was.replace("{", f"{{{inside}{',' if inside else ''}", 1)
        (bundle / "edgekit.json").write_text(whole, encoding="utf-8")
        error = runtime.act("load", bundle).error
        assert error["code"] == "bundle" and "edgekit.json" in error["message"]

    @pytest.mark.parametrize("name", ["model.bin", "model", "MODEL.Onnx", "model.ort", "model.json"])
    @pytest.mark.parametrize("away", [False, True])
    def test_a_graph_by_any_name(
        self, runtime: Runtime, tensor_bundle: Path, tmp_path: Path, name: str, away: bool
    ) -> None:
        def change(manifest: dict[str, Any]) -> None:
            manifest["variants"][0]["path"] = f"model/portable/{name}"

        bundle = copy(tensor_bundle, tmp_path / "b")
        if away:
            weights("../../../secret")(bundle / "model/portable")
        (bundle / "model/portable/model.onnx").rename(bundle / "model/portable" / name)
        result = runtime.act("load", reseal(bundle, change))
        if away or name in ("model.ort", "model.json"):
            assert result.error["code"] == "bundle" and name in result.error["message"]
            assert "is not safe" in result.error["message"]
        else:
            assert result.outcome.get("kind") == "tensor", result.error

    @pytest.mark.parametrize("path", ["model/portable", "model/portable/.", "model/portable/model.onnx/", "model"])
    def test_a_folder_for_a_graph(self, runtime: Runtime, tensor_bundle: Path, tmp_path: Path, path: str) -> None:
        bundle = copy(tensor_bundle, tmp_path / "b")
        error = runtime.act("load", reseal(bundle, lambda m: m["variants"][0].update(path=path))).error
        assert error["code"] == "bundle"

    @pytest.mark.parametrize("name", ["model.bin", "weights"])
    def test_a_language_model_s_graph_by_any_name(
        self, runtime: Runtime, llm_bundle: Path, tmp_path: Path, name: str
    ) -> None:
        bundle = copy(llm_bundle, tmp_path / "b")
        folder = bundle / "model/portable"
        weights("../../../secret")(folder)
        (folder / "model.onnx").rename(folder / name)
        config("model", "decoder", "filename", value=name)(folder)
        error = runtime.act("load", reseal(bundle)).error
        assert error["code"] == "bundle" and name in error["message"] and "'../../../secret'" in error["message"]

    def test_what_is_harmless_is_taken(self, runtime: Runtime, llm_bundle: Path, tmp_path: Path) -> None:
        bundle = copy(llm_bundle, tmp_path / "b")
        config = bundle / "model/portable/genai_config.json"
        document = json.loads(config.read_text(encoding="utf-8"))
        document["model"]["decoder"]["session_options"] |= {"session.intra_op.allow_spinning": "0"}
        config.write_text(json.dumps(document), encoding="utf-8")
        (bundle / "model/portable/vocab.json").write_text('{"The": 1, "the": 2}', encoding="utf-8")
        assert runtime.act("load", reseal(bundle)).outcome["kind"] == "llm"
