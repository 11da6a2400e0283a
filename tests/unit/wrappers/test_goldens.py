"""How golden answers are compared."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from edgekit.wrappers.python import goldens
from edgekit.wrappers.python.npz import Arrays

pytestmark = pytest.mark.unit

LIMITS = {"cosine_min": 0.999, "length_tolerance": 0.01}


def compared(here: dict[str, Any], golden: dict[str, Any]) -> dict[str, Any]:
    return goldens._compare_tensors(with_shapes(here), with_shapes(golden), LIMITS)


def with_shapes(arrays: dict[str, Any]) -> Arrays:
    found = {name: np.asarray(array) for name, array in arrays.items()}
    shapes = {f"shape.{name}": np.array(array.shape, dtype=np.int64) for name, array in found.items()}
    return {**found, **shapes, "recorded_on": np.array(json.dumps({"ep": "cpu"}))}


@pytest.mark.parametrize(
    ("here", "golden", "value", "ratio"),
    [
        ([1.0, 2.0], [1.0, 2.0], 1.0, 1.0),
        ([2.0, 4.0], [1.0, 2.0], 1.0, 2.0),
        ([-1.0, -2.0], [1.0, 2.0], -1.0, 1.0),
        ([1.0, 0.0], [0.0, 1.0], 0.0, 1.0),
        ([0.0, 0.0], [0.0, 0.0], 1.0, 1.0),
        ([0.0, 0.0], [0.0, 1.0], 0.0, 1.0),
        ([np.inf, 1.0], [np.inf, 1.0], 1.0, 1.0),
        ([np.nan, 1.0], [np.nan, 1.0], 1.0, 1.0),
        ([np.inf, 1.0], [-np.inf, 1.0], 0.0, 1.0),
        ([np.nan, 1.0], [np.inf, 1.0], 0.0, 1.0),
        ([np.nan, 1.0], [1.0, 1.0], 0.0, 1.0),
        ([], [], 1.0, 1.0),
        ([1.0], [1.0, 1.0], 0.0, 1.0),
    ],
)
def test_agreement_of_floats(here: list[float], golden: list[float], value: float, ratio: float) -> None:
    found = goldens.agreement(np.array(here, dtype=np.float32), np.array(golden, dtype=np.float32))
    assert found == (pytest.approx(value, abs=1e-6), pytest.approx(ratio))


def test_agreement_of_what_is_no_float() -> None:
    assert goldens.agreement(np.array([1, 2, 3, 4]), np.array([1, 2, 3, 5])) == (0.75, 1.0)
    assert goldens.agreement(np.array([1], np.int32), np.array([1], np.int64)) == (1.0, 1.0)
    assert goldens.agreement(np.array([True]), np.array([False])) == (0.0, 1.0)
    assert goldens.agreement(np.array(["a", "b"]), np.array(["a", "c"])) == (0.5, 1.0)
    assert goldens.agreement(np.array([1.0]), np.array([1])) == (0.0, 1.0)
    assert goldens.agreement(np.array([], dtype=np.int64), np.array([], dtype=np.int64)) == (1.0, 1.0)


def test_halves_do_not_overflow() -> None:
    big = np.full(1000, 60_000, dtype=np.float16)
    assert goldens.agreement(big, big) == (pytest.approx(1.0), pytest.approx(1.0))


def test_every_output_is_compared() -> None:
    golden = {"0.y": [1.0, 2.0], "0.z": [5], "1.y": [3.0, 1.0]}
    assert compared(golden, golden) | {"worst": 1.0} == {
        "rule": "cosine of at least 0.999 for each output",
        "compared": 3,
        "worst": 1.0,
        "wrong": [],
    }
    found = compared({"0.y": [1.0, -2.0], "0.z": [5], "1.y": [3.001, 1.0]}, golden)
    assert found["compared"] == 3 and [line.split(":")[0] for line in found["wrong"]] == ["input 0, output 'y'"]
    assert found["worst"] == pytest.approx(-0.6)


def test_a_missing_output_and_another_shape_are_wrong() -> None:
    found = compared({"0.y": [[1.0, 2.0]]}, {"0.y": [1.0, 2.0], "0.z": [1.0]})
    assert found["wrong"] == [
        "input 0, output 'y': the shape [1, 2] instead of [2]",
        "input 0, output 'z': the shape None instead of [1]",
    ]
    assert found["worst"] is None


def test_the_dust_of_rounding_has_no_direction() -> None:
    """A detector's map of an empty picture is 1e-8 everywhere, and differently so on every CPU."""
    golden = {"0.map": [1e-8, 0.0, 3e-9], "1.map": [0.9, 1.0, 0.0]}
    assert not compared({"0.map": [0.0, 2e-8, 0.0], "1.map": [0.9, 1.0, 0.0]}, golden)["wrong"]
    found = compared({"0.map": [0.0, 0.5, 0.0], "1.map": [0.9, 1.0, 0.0]}, golden)
    assert [line.split(":")[0] for line in found["wrong"]] == ["input 0, output 'map'"]
    assert compared({"0.map": [np.nan, 0.0, 0.0], "1.map": [0.9, 1.0, 0.0]}, golden)["wrong"]
    alone = {"0.map": [1e-8, 0.0, 3e-9]}  # nothing tells that it is dust
    assert compared({"0.map": [0.0, 2e-8, 0.0]}, alone)["wrong"]


def test_names_with_dots() -> None:
    found = compared({"10.a.b.c": [1.0]}, {"10.a.b.c": [-1.0]})
    assert found["wrong"][0].startswith("input 10, output 'a.b.c': ")


def test_only_sure_positions_count() -> None:
    golden = {"top1": np.array([1, 2, 3, 4]), "margin": np.array([0.4, 0.6, 0.5, 9.0], dtype=np.float32)}
    here = {"top1": np.array([0, 2, 0, 5])}
    found = goldens._compare_llm(here, golden, {"margin": 0.5})
    assert found["compared"] == 2 and found["worst"] == 0.5
    assert found["wrong"] == ["position 3: token 5 instead of 4, which led by 9.00"]
    unsure = goldens._compare_llm(here, golden, {"margin": 99})
    assert unsure["compared"] == 0 and unsure["worst"] is None and not unsure["wrong"]


@pytest.mark.parametrize(
    "shape", [(10,), (), (0, 3), (goldens.MAX_VALUES,), (4, 100_003), (8, 16, 32, 64), (2**20,), (6, 510_510)]
)
def test_large_outputs_are_thinned_evenly(shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    kept = goldens._spread(array)
    assert kept.size <= goldens.MAX_VALUES
    if array.size <= goldens.MAX_VALUES:
        np.testing.assert_array_equal(kept, array.ravel())
    else:
        assert kept.size > goldens.MAX_VALUES // 20
        assert len(np.unique(np.diff(kept))) == 1
        if len(shape) > 1:  # every channel of the last axis is seen
            step = int(kept[1] - kept[0])
            assert len({(at * step) % shape[-1] for at in range(kept.size)}) == min(shape[-1], kept.size)


def test_feeds_are_in_their_order() -> None:
    inputs = {f"{at}.x": np.array(at) for at in (10, 9, 0)} | {"0.y.z": np.array(1)}
    found = goldens.feeds(inputs)
    assert [int(feed["x"]) for feed in found] == [0, 9, 10]
    assert set(found[0]) == {"x", "y.z"}
