"""A budget of the command line is on something that the check will measure."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit import kinds
from edgekit.bundle.read import read
from edgekit.check import Options, _budgets, _measurable
from edgekit.errors import UsageError
from edgekit.results.metrics import Limit
from tests.unit.bundle.conftest import made_of, sealed

pytestmark = pytest.mark.unit
__all__ = ["made_of", "sealed"]
BENCH = kinds.of("llm").bench


def asked(name: str, *, sustain_s: float | None = None) -> Options:
    return Options(budgets={name: Limit(max=1.0)}, sustain_s=sustain_s)


@pytest.mark.parametrize("name", ["ttft_ms@pp999", "prefill_tps@pp1", "decode_tps@d512"])
def test_a_length_that_is_not_run_is_refused_with_the_workload(name: str) -> None:
    with pytest.raises(UsageError, match=r"nothing measures .* the workload is pp128 pp512 tg128") as caught:
        _measurable(asked(name), BENCH)
    assert "--prompts" in caught.value.next


@pytest.mark.parametrize("name", ["ttft_ms@pp512", "decode_tps", "ep_share@d1x", "peak_rss_mb"])
def test_what_is_measured_is_allowed(name: str) -> None:
    _measurable(asked(name), BENCH)


def test_a_length_that_is_asked_for_is_allowed() -> None:
    _measurable(asked("ttft_ms@pp999"), BENCH.asked([999]))
    _measurable(asked("decode_tps@d512"), BENCH.asked([], [512]))
    _measurable(asked("decode_tps@m5", sustain_s=60.0), BENCH)


@pytest.mark.parametrize(
    ("options", "judged"),
    [
        (Options(budgets={"load_warm_s": Limit(max=2.0)}), {"bundle_mb": 1.0, "load_warm_s": 2.0}),
        (Options(budgets={"bundle_mb": Limit(max=2.0)}), {"bundle_mb": 2.0}),
        (Options(budgets={"load_warm_s": Limit(max=2.0)}, target_budgets=False), {"load_warm_s": 2.0}),
        (Options(target_budgets=False), {}),
        (Options(goldens_only=True), {}),
    ],
)
def test_whose_budgets_are_judged(sealed: Path, options: Options, judged: dict[str, float]) -> None:
    manifest = read(sealed).model_copy(update={"budget": {"bundle_mb": Limit(max=1.0)}})
    assert {name: limit.max for name, limit in _budgets(manifest, options, []).items()} == judged
