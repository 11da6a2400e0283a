"""A budget of the command line is on something that the check will measure."""

from __future__ import annotations

import pytest

from edgekit import kinds
from edgekit.check import Options, _measurable
from edgekit.errors import UsageError
from edgekit.results.metrics import Limit

pytestmark = pytest.mark.unit
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
