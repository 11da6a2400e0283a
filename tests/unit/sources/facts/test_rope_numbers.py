"""The numbers of a rotary embedding that are none."""

from __future__ import annotations

from typing import Any

import pytest

from edgekit.errors import SourceError
from edgekit.sources.facts import rope_numbers

pytestmark = pytest.mark.unit
LONG = {"type": "longrope", "short_factor": [1.0] * 8, "long_factor": [2] * 8}


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"rope_theta": 10000, "rope_scaling": None},
        {"rope_theta": 5e5, "rope_scaling": {"rope_type": "linear", "factor": 2}},
        {"rope_local_base_freq": 10000.0, "rope_scaling": LONG},
        {"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "attention_factor": None}},
    ],
)
def test_numbers(config: dict[str, Any]) -> None:
    rope_numbers.check(config, 16, None)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"rope_theta": float("nan")}, "rope_theta is 'nan', no number above 1"),
        ({"rope_theta": 0}, "rope_theta is '0'"),
        ({"rope_theta": "10000"}, "rope_theta is '10000'"),
        ({"rope_theta": True}, "rope_theta is 'True'"),
        ({"rope_local_base_freq": -1.0}, "rope_local_base_freq is '-1.0'"),
        ({"rope_scaling": "dynamic"}, "rope_scaling is 'dynamic', no table"),
        ({"rope_scaling": {"factor": "2"}}, "factor of rope_scaling is '2', no number above 0"),
        ({"rope_scaling": {"factor": float("inf")}}, "factor of rope_scaling is 'inf'"),
        ({"rope_scaling": {"original_max_position_embeddings": 0}}, "original_max_position_embeddings of rope_scaling"),
        ({"rope_scaling": LONG | {"long_factor": [1.0] * 7}}, "long_factor of rope_scaling has 7 numbers, and 8 pairs"),
        ({"rope_scaling": LONG | {"short_factor": [1.0] * 7 + [None]}}, "short_factor of rope_scaling is no list of"),
        ({"rope_scaling": LONG | {"short_factor": 1.0}}, "short_factor of rope_scaling is no list of"),
    ],
)
def test_what_is_no_number(config: dict[str, Any], says: str) -> None:
    with pytest.raises(SourceError) as refused:
        rope_numbers.check(config, 16, None)
    assert says in refused.value.message and refused.value.exit_code == 4 and refused.value.next


def test_of_part_of_a_head_that_part_is_counted() -> None:
    rope_numbers.check({"rope_scaling": LONG}, 32, 16)
    with pytest.raises(SourceError, match="16 pairs"):
        rope_numbers.check({"rope_scaling": LONG}, 32, None)
