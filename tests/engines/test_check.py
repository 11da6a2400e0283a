"""check() and ab(): what they measure, in which order, and what becomes of it. The runtime and the models are real."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from edgekit import ab, check
from edgekit.check import Options
from edgekit.contract.check_plan import CheckPlan, Identity
from edgekit.contract.result import Conditions, Report
from edgekit.errors import BundleError, NotMeasured, OverBudget, QualityError, UsageError
from edgekit.results.metrics import Limit
from edgekit.verdicts import summary
from tests.engines.conftest import Here
from tests.engines.wrappers.small_bundles import copy
from tests.unit.injections import reseal

pytestmark = pytest.mark.runtimes

QUICK = Options(quick=True, prompts=(16,))


def values(report: Report) -> dict[str, float | None]:
    return {one.metric: one.value for one in report.measurements}


def test_a_grid_of_prompts_and_depths_is_measured(here: Here, llm_bundle: Path) -> None:
    report = check.check(llm_bundle, here, dataclasses.replace(QUICK, prompts=(16, 64, 500), depths=(0, 32)))
    found = values(report)
    assert found["ttft_ms@pp16"] and found["ttft_ms@pp64"] and found["decode_tps"] and found["decode_tps@d32"]
    skipped = summary.by_metric(report.measurements)["ttft_ms@pp500"]
    assert skipped.value is None and "max_length is 128" in skipped.reason
    assert report.conditions.workload == "pp16 pp64 pp500 d32 tg8"


def test_each_process_is_kept_and_is_the_unit_of_the_interval(here: Here, llm_bundle: Path) -> None:
    report = check.check(llm_bundle, here, dataclasses.replace(QUICK, processes=3))
    assert [action for _, action in here.acts].count("bench") == 3
    assert report.conditions.variant == "portable"  # the runtime says which it chose
    assert len(report.processes) == 3 and all(one.trials == 1 for one in report.processes)
    assert sum(one.counts["decode_tps"] for one in report.processes) == len(report.raw["decode_tps"]) == 3
    own = [one.values["decode_tps"] for one in report.processes]
    whole = summary.by_metric(report.measurements)["decode_tps"]
    assert whole.value == pytest.approx(sum(own) / 3, rel=1e-3) and whole.low is not None
    assert whole.low < whole.value < (whole.high or 0)


@pytest.mark.parametrize("kind", ["llm", "tensor"])
def test_a_sustained_run_gives_speed_and_throttling(
    kind: str, here: Here, llm_bundle: Path, tensor_bundle: Path
) -> None:
    bundle = llm_bundle if kind == "llm" else tensor_bundle
    report = check.check(bundle, here, Options(quick=kind == "llm", sustain_s=1.2))
    found = values(report)
    speed = "decode_tps" if kind == "llm" else "throughput_ips"
    assert found[speed] and found["throttle_after_s"] and report.conditions.sustain_s == 1.2
    assert found["throttle_after_s"] == pytest.approx(report.processes[0].watch.at_s[-1], rel=1e-3)
    assert "itl_p50_ms" not in found and "latency_p99_ms" not in found
    assert [action for _, action in here.acts].count("bench") == 1


def test_a_sustained_run_does_not_judge_the_budgets_of_what_it_does_not_do(here: Here, llm_bundle: Path) -> None:
    options = Options(prompts=(16,), sustain_s=1.0, budgets={"itl_p50_ms": Limit(max=1)})
    report = check.check(llm_bundle, here, options)
    assert [one.verdict for one in report.verdicts] == ["not-measured"]  # what is asked for by name is judged


def test_throttling_during_a_sustained_run_is_no_invalid_run(here: Here, tensor_bundle: Path) -> None:
    laps = list(range(0, 301))
    slower = [100.0] * 100 + [60.0] * 200
    here.changes["bench"] = {
        "samples": {"throughput_ips": slower, "latency_ms": [1000 / value for value in slower]},
        "watch": {"at_s": laps, "seconds": 300.0, "other_cores_mean": 0.0, "clock_mhz": [3000] * 100 + [1800] * 201},
    }
    report = check.check(tensor_bundle, here, Options(sustain_s=1.0))
    found = values(report)
    assert report.conditions.invalid == () and report.exit_code == 0
    assert found["throughput_ips@m1"] == 100 and found["throughput_ips@m5"] == 60
    assert found["throttle_after_s"] == pytest.approx(100, abs=10)


def test_the_same_series_is_invalid_in_a_plain_check(here: Here, tensor_bundle: Path) -> None:
    here.changes["bench"] = {
        "samples": {"latency_ms": [10.0] * 100 + [16.0] * 200},
        "watch": {"at_s": [0.0, 1.0], "other_cores_mean": 0.0, "clock_mhz": [3000, 1800]},
    }
    report = check.check(tensor_bundle, here, Options(quick=True, budgets={"latency_p50_ms": Limit(max=20)}))
    assert any("clock fell by 40%" in why for why in report.conditions.invalid)
    assert isinstance(check.failure(report), NotMeasured)


def test_wrong_answers_end_it_before_anything_is_timed(here: Here, tensor_bundle: Path) -> None:
    wrong = {"passed": False, "compared": 3, "rule": "cosine", "worst": 0.1, "same_kernels": True}
    wrong |= {"recorded_on": {}, "mismatches": ["0: cosine 0.1"], "mismatch_count": 1}
    here.changes["goldens"] = {"goldens": wrong}
    report = check.check(tensor_bundle, here, Options())
    assert report.exit_code == 9 and "bench" not in [action for _, action in here.acts] and report.raw == {}
    with pytest.raises(QualityError, match="answers wrongly"):
        ab.ab(tensor_bundle, tensor_bundle, here, Options())


def test_power_and_temperature_without_sensors_are_not_measured_with_the_reason(here: Here, llm_bundle: Path) -> None:
    report = check.check(llm_bundle, here, Options(prompts=(16,), sustain_s=1.0))
    found = summary.by_metric(report.measurements)
    for name in ("power_avg_w", "energy_j_per_token", "energy_j_per_1k_tokens"):
        assert found[name].value is None and found[name].reason == "no power sensor was found"
    assert report.energy is not None and "--meter csv" in report.energy.next


def test_an_emulated_device_has_no_power_and_no_temperature_of_its_own(tmp_path: Path, llm_bundle: Path) -> None:
    report = check.check(llm_bundle, Here(tmp_path, "emulated"), QUICK)
    assert {one.evidence for one in report.measurements} == {"emulated", "static"}
    slow = check.check(llm_bundle, Here(tmp_path, "emulated"), Options(prompts=(16,), sustain_s=1.0))
    assert "emulated: its power says nothing" in summary.by_metric(slow.measurements)["power_avg_w"].reason


def test_a_machine_that_is_too_warm_is_refused_when_strict(tmp_path: Path, tensor_bundle: Path) -> None:
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "type").write_text("cpu")
    (zone / "temp").write_text("82000")
    hot = Here(tmp_path)
    with pytest.raises(NotMeasured, match="82 C, 60 C are allowed"):
        check.check(tensor_bundle, hot, Options(strict=True, wait_s=0.0))
    report = check.check(tensor_bundle, hot, Options(sustain_s=1.0, wait_s=0.0))
    assert "82 C" in report.conditions.before[0]
    heat = summary.by_metric(report.measurements)["temperature_max_c"]
    assert heat.value == 82 and heat.reason == "the hottest of cpu"


def test_a_meter_whose_conditions_do_not_hold_is_refused_when_strict(
    here: Here, tensor_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit.metering.unfit", lambda meter, reader: ["it was fed (USB powered)"])
    monkeypatch.setattr("edgekit.verdicts.validity.preconditions", lambda facts: [])
    with pytest.raises(NotMeasured, match="USB powered"):
        check.check(tensor_bundle, here, Options(strict=True, sustain_s=1.0))
    report = check.check(tensor_bundle, here, Options(sustain_s=1.0))
    assert report.conditions.before == ("it was fed (USB powered)",)


def test_the_command_line_wins_over_the_bundles_budget(here: Here, tensor_bundle: Path) -> None:
    manifest, plan = check.opened(tensor_bundle, Options())
    bound = manifest.model_copy(update={"budget": {"bundle_mb": Limit(max=1000), "peak_rss_mb": Limit(min=1)}})
    asked = Conditions(workload="", run_context="shell", started="", runtime="")
    begun = check.Found(Identity(os="linux"), "host", _goldens(), {}, asked)
    report = check._report(bound, plan, Options(budgets={"bundle_mb": Limit(max=0.0)}), begun)
    assert {one.metric: one.limit for one in report.verdicts} == {
        "bundle_mb": Limit(max=0.0),
        "peak_rss_mb": Limit(min=1),
    }
    loud = check.check(tensor_bundle, here, Options(quick=True, budgets={"bundle_mb": Limit(max=0.0)}))
    assert isinstance(check.failure(loud), OverBudget) and loud.exit_code == 10


def _goldens() -> Any:
    from edgekit.contract.check_plan import GoldensOutcome

    return GoldensOutcome(
        rule="", passed=True, compared=1, worst=1.0, same_kernels=True, recorded_on={}, mismatches=(), mismatch_count=0
    )


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("latency_p91_ms", "no metric 'latency_p91_ms'; did you mean 'latency_p"),
        ("decode_tps", "is of llm models, not of tensor models"),
        ("latency_p90_ms@pp128", "nothing measures latency_p90_ms@pp128"),
    ],
)
def test_a_bundle_whose_own_budget_nothing_could_judge_is_refused(
    tensor_bundle: Path, tmp_path: Path, metric: str, said: str
) -> None:
    changed = reseal(copy(tensor_bundle, tmp_path / "b"), lambda data: data.update(budget={metric: {"max": 1.0}}))
    with pytest.raises(BundleError, match=re.escape(said)):
        check.opened(changed, Options())


def test_a_budget_of_the_other_kind_of_model_ends_before_anything_runs(tensor_bundle: Path) -> None:
    with pytest.raises(UsageError, match="decode_tps is of llm models, not of tensor models"):
        check.opened(tensor_bundle, Options(budgets={"decode_tps": Limit(min=1)}))


def test_prompts_are_for_language_models(here: Here, tensor_bundle: Path, llm_bundle: Path) -> None:
    with pytest.raises(UsageError, match="--prompts and --depths"):
        check.check(tensor_bundle, here, Options(prompts=(16,)))
    with pytest.raises(UsageError, match="one token at least"):
        check.check(llm_bundle, here, Options(prompts=(0,)))
    with pytest.raises(UsageError, match="is a llm model"):
        ab.ab(llm_bundle, tensor_bundle, here, Options())


def test_two_bundles_take_turns(here: Here, tensor_bundle: Path, tmp_path: Path) -> None:
    import shutil

    other = tmp_path / "other-tensor"
    shutil.copytree(tensor_bundle, other)
    report = ab.ab(tensor_bundle, other, here, Options(), blocks=8)
    benches = [name for name, action in here.acts if action == "bench"]
    a, b = tensor_bundle.name, "other-tensor"
    assert benches == [a, b, *([a, b, b, a] * 8)]  # one of each to warm up
    assert report.blocks and all(len(blocks) == 8 for blocks in report.blocks.values())
    assert {one.metric for one in report.ratios} == {"latency_p50_ms", "latency_p90_ms"}
    for one in report.ratios:
        assert one.low is not None and one.ratio is not None and one.high is not None
        assert 0 < one.low <= one.ratio <= one.high


def test_a_plan_of_an_older_bundle_is_understood(llm_bundle: Path) -> None:
    plan: CheckPlan = check.opened(llm_bundle, Options())[1]
    assert plan.bench.sustain_s is None
