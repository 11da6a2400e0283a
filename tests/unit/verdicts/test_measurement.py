"""A limit applied to a measurement: what is a pass, what is none, and on which evidence."""

from __future__ import annotations

import pytest

from edgekit.results.measurement import EVIDENCE, Evidence, Measurement, weakest
from edgekit.results.metrics import Limit
from edgekit.verdicts.limits import judge

pytestmark = pytest.mark.unit


def word(value: float | None, limit: Limit, **changes: object) -> str:
    measurement = Measurement(metric="decode_tps", value=value, evidence="host", n=5)
    return judge(measurement.model_copy(update=changes), "decode_tps", limit).verdict


@pytest.mark.parametrize(
    ("limit", "allowed", "beyond"),
    [
        (Limit(min=20.0), (20.0, 21.0), (19.999,)),
        (Limit(max=20.0), (20.0, 19.0), (20.001,)),
        (Limit(max=0.0), (0.0,), (1e-9,)),
        (Limit(min=0.0), (0.0,), (-1e-9,)),
        (Limit(min=10.0, max=20.0), (10.0, 15.0, 20.0), (9.9, 20.1)),
        (Limit(), (0.0, -5.0, 1e9), ()),
    ],
)
def test_a_limit_is_still_allowed_and_the_next_number_is_not(
    limit: Limit, allowed: tuple[float, ...], beyond: tuple[float, ...]
) -> None:
    assert {word(value, limit) for value in allowed} == {"pass"}
    assert {word(value, limit) for value in beyond} <= {"fail"}


@pytest.mark.parametrize("limit", [Limit(), Limit(min=0.0), Limit(max=1.0)])
def test_what_was_not_measured_is_no_pass_whatever_the_limit(limit: Limit) -> None:
    assert word(None, limit, reason="no sensor") == "not-measured"
    assert judge(None, "power_avg_w", limit).verdict == "not-measured"
    tried = Measurement(metric="power_avg_w", evidence="host", reason="no sensor", valid=False)
    assert (judge(tried, "power_avg_w", limit).verdict, judge(tried, "power_avg_w", limit).reason) == (
        "not-measured",
        "no sensor",
    )


@pytest.mark.parametrize("value", [1.0, 100.0])
def test_an_invalid_measurement_is_neither_pass_nor_fail(value: float) -> None:
    said = judge(
        Measurement(metric="decode_tps", value=value, evidence="device", n=5, valid=False, reason="throttled"),
        "decode_tps",
        Limit(min=20.0),
    )
    assert (said.verdict, said.reason, said.value, said.evidence) == ("invalid", "throttled", value, "device")


@pytest.mark.parametrize("evidence", EVIDENCE)
def test_an_aggregate_has_the_weakest_evidence_of_its_parts(evidence: Evidence) -> None:
    stronger = EVIDENCE[EVIDENCE.index(evidence) :]
    assert weakest(stronger) == weakest(reversed(stronger)) == evidence
