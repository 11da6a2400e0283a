"""The one table of metrics: what stands in it, and that the gates and limits speak of nothing else."""

from __future__ import annotations

import pytest

from edgekit.quality import _limits, gates
from edgekit.results import metrics as m

pytestmark = pytest.mark.unit


def test_it_knows_every_metric_of_the_gates() -> None:
    for kind in ("llm", "tensor"):
        limited, _ = _limits.limits(kind, "int8", 0)
        for name in {*limited, *(one.name for gate in gates(kind).values() for one in gate.METRICS)}:
            metric = m.of(name)
            assert metric and metric.found_by == "gate" and metric.of_kind(kind)
            assert metric.may_stand(name.partition("@")[2]), name
