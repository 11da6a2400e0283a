"""Which limits hold for a language model, and what a verdict says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit import quality, target
from edgekit.contract.manifest import Quality
from edgekit.errors import NotMeasured, QualityError
from edgekit.kinds.llm import LlmContract
from edgekit.model import DecoderFacts, Model
from edgekit.quality import GateContext, _judge, _limits, _overall
from edgekit.quality._context import measured, not_measured
from edgekit.results import metrics as m
from edgekit.results.measurement import Measurement
from edgekit.results.metrics import Limit
from edgekit.sources.gguf import CONVERTED
from edgekit.sources.source import Source

pytestmark = pytest.mark.unit


def row(precision: str, parameters: int, *overrides: dict[str, Limit]) -> dict[str, float | None]:
    found, _ = _limits.limits("llm", precision, parameters, *overrides)
    return {metric: limit.max if limit.max is not None else limit.min for metric, limit in found.items()}


@pytest.mark.parametrize(
    ("precision", "parameters", "kl", "top1"),
    [
        ("int4", 135_000_000, 0.15, 0.80),
        ("int4", 500_000_000, 0.08, 0.87),
        ("int4", 3_800_000_000, 0.05, 0.90),
        ("int8", 135_000_000, 0.01, 0.95),
        ("float16", 1, 0.0016, 0.98),
    ],
)
def test_the_row_is_the_precisions_and_the_sizes(precision: str, parameters: int, kl: float, top1: float) -> None:
    found = row(precision, parameters)
    assert (found["kl_mean"], found["top1_agreement"]) == (kl, top1)
    assert found["token_mismatch_rate"] == 0
    assert found["json_parse_rate"] == 1


def test_a_place_has_twice_the_limit_whatever_sets_it() -> None:
    assert row("int4", 1)["kl_mean@longrope"] == pytest.approx(0.3)
    assert row("int4", 1, {"kl_mean": Limit(max=0.02)})["kl_mean@longrope"] == pytest.approx(0.04)
    assert row("int4", 1, {"kl_mean@longrope": Limit(max=0.5)})["kl_mean@longrope"] == 0.5


def test_target_card_and_command_line_override_in_this_order() -> None:
    layers = [{"kl_mean": Limit(max=value)} for value in (0.1, 0.2, 0.3)]
    assert row("int4", 1, *layers)["kl_mean"] == 0.3


def test_an_unknown_precision_has_the_strictest_known_and_says_so() -> None:
    _, note = _limits.limits("llm", "int3", 1)
    assert "int3" in note and "int4" in note


def context(**changes: object) -> GateContext:
    facts = DecoderFacts(
        context_length=512, vocab_size=8, layers=1, kv_heads=1, head_size=16, hidden_size=16, eos_token_ids=(2,)
    )
    model = Model(name="tiny", kind="llm", parameters=1000, sha256="0" * 64, llm=facts)
    contract = LlmContract(eos_token_ids=(2,), context_length=512, max_length=512, vocab_size=8)
    given = {
        "source": Source(ref="tiny", form="hf", path=Path("nowhere"), model=model),
        "staged": Path("nowhere"),
        "model_path": "model",
        "contract": contract,
        "target": target.load("linux-cpu"),
        "precision": "int4",
        "work": Path("nowhere"),
    }
    return GateContext(**(given | changes))  # type: ignore[arg-type]


def found(*measurements: Measurement, **changes: object) -> Quality:
    verdicts, _ = _judge(context(**changes), list(measurements))
    return Quality(verdict=_overall(verdicts), mode="default", measurements=measurements, verdicts=verdicts)


def test_the_error_names_metric_value_limit_and_what_to_try() -> None:
    error = quality.explain(found(measured(m.KL_MEAN, 0.31, n=4096), measured(m.KL_P99, 0.5, n=4096)))
    assert isinstance(error, QualityError) and error.exit_code == 9
    assert "kl_mean is 0.31, at most 0.15 asked" in error.message
    assert "keeps more bits" in error.next and "--limit kl_mean:max=VALUE" in error.next


def test_the_first_gates_failure_is_the_one_that_is_told() -> None:
    """A wrong tokenizer ruins all that follows: its own advice comes first, whatever the table's order."""
    error = quality.explain(found(measured(m.TOKEN_MISMATCH_RATE, 0.5, n=90), measured(m.KL_MEAN, 3.0, n=9)))
    assert error is not None and "tokenizer_class" in error.next


def test_the_advice_follows_the_circumstances() -> None:
    """No --recipe auto where the target fixes its recipes (it ends with 2), no file to correct of a .gguf."""
    bad = (measured(m.KL_MEAN, 3.0, n=9), measured(m.TOKEN_MISMATCH_RATE, 0.5, n=90))
    drifted, tokens = (Quality(verdict="fail", mode="default", verdicts=_judge(context(), [entry])[0]) for entry in bad)
    said = {cause: quality.explain(drifted, {cause}) for cause in ("fixed", "float", "gguf")}
    assert all(error is not None for error in said.values())
    assert ["--recipe auto" in error.next for error in said.values() if error] == [False, False, True]
    error = quality.explain(tokens, {"gguf", "fixed"})
    assert error is not None and "tokenizer_class" not in error.next and "checkpoint" in error.next


@pytest.mark.parametrize(
    ("name", "precision", "origin", "expected"),
    [
        ("linux-cpu", "int4", (), set()),
        ("linux-cpu", "float32", (CONVERTED,), {"float", "gguf"}),
        ("android-qnn", "w4a16", (), {"fixed"}),
    ],
)
def test_the_circumstances_are_of_source_target_and_recipe(
    name: str, precision: str, origin: tuple[str, ...], expected: set[str]
) -> None:
    source = replace(context().source, origin=origin)
    assert quality.causes(source, target.load(name), precision) == expected


def test_a_rate_is_judged_beside_the_sources_own() -> None:
    own = measured(m.EOS_RATE.at("source"), 0.5, n=64)
    assert found(own, measured(m.EOS_RATE, 0.46, n=64)).verdict == "pass"
    assert found(own, measured(m.EOS_RATE, 0.4, n=64)).verdict == "fail"
    assert found(measured(m.EOS_RATE, 0.4, n=64)).verdict == "not-measured"


@pytest.mark.parametrize(
    ("n", "stopped", "verdict"), [(16, 13, "pass"), (16, 12, "fail"), (64, 53, "pass"), (64, 52, "fail")]
)
def test_one_answer_of_few_does_not_decide_but_two_do(n: int, stopped: int, verdict: str) -> None:
    own = measured(m.EOS_RATE.at("source"), 0.875, n=n)
    quality = found(own, measured(m.EOS_RATE, stopped / n, n=n))
    assert quality.verdict == verdict
    assert quality.verdicts[0].limit.min == pytest.approx(0.875 - max(0.05, 1 / n))  # the limit that held is kept


def test_one_looping_answer_of_few_does_not_decide_either() -> None:
    own = measured(m.REPETITION_RATE.at("source"), 0.02, n=16)
    assert found(own, measured(m.REPETITION_RATE, 0.08, n=16)).verdict == "pass"
    assert found(own, measured(m.REPETITION_RATE, 0.14, n=16)).verdict == "fail"
    own = measured(m.REPETITION_RATE.at("source"), 0.02, n=64)
    assert found(own, measured(m.REPETITION_RATE, 0.06, n=64)).verdict == "fail"


def test_a_limit_relative_to_what_is_not_known_is_no_pass() -> None:
    no_most = {"kl_mean": Limit(min=0)}  # of which kl_mean@longrope would be allowed twice the max
    made = found(measured(m.KL_MEAN, 0.1, n=9), measured(m.KL_MEAN.at("longrope"), 9.0, n=9), overrides=no_most)
    assert [one.verdict for one in made.verdicts] == ["pass", "not-measured"] and made.verdict == "not-measured"
    assert "relative to is not known" in made.verdicts[1].reason


def test_not_measured_is_never_a_pass() -> None:
    error = quality.explain(found(not_measured(m.KL_MEAN, "the graph is a pipeline"), measured(m.KL_P99, 0.1, n=9)))
    assert isinstance(error, NotMeasured) and "pipeline" in error.message
    asked = found(measured(m.KL_P99, 0.1, n=9), overrides={"kl_mean@longrope": Limit(max=1)})
    assert asked.verdict == "not-measured"


def test_the_gates_run_the_cheap_and_telling_ones_first() -> None:
    names = ["source", "tokenizer", "template", "rope", "logits", "simulator", "depth", "kv_cache", "behaviour"]
    names.append("structured")
    assert list(quality.gates("llm")) == names
    measurable = {metric.name for module in quality.gates("llm").values() for metric in module.METRICS}
    assert measurable == set(
        _limits.limits("llm", "int4", 0)[0]
    )  # each metric of the table is some gate's, and the other way round


def test_switched_off_is_written_down_as_not_measured() -> None:
    off = quality.gate(context(mode="off"))
    assert off.verdict == "not-measured"
    assert isinstance(quality.explain(off), NotMeasured)
