"""How golden answers are compared."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from edgekit.wrappers.python import goldens, kind_llm, kind_tensor
from edgekit.wrappers.python.agreement import agreement
from edgekit.wrappers.python.npz import Arrays
from tests.unit.wrappers.python import golden_cases

pytestmark = pytest.mark.unit

LIMITS = {"cosine_min": 0.999, "length_tolerance": 0.01}


def compared(here: dict[str, Any], golden: dict[str, Any]) -> dict[str, Any]:
    return kind_tensor.compare(with_shapes(here), with_shapes(golden), {"same_kernels": LIMITS}, True)


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
    found = agreement(np.array(here, dtype=np.float32), np.array(golden, dtype=np.float32))
    assert found == (pytest.approx(value, abs=1e-6), pytest.approx(ratio))


def test_agreement_of_what_is_no_float() -> None:
    assert agreement(np.array([1, 2, 3, 4]), np.array([1, 2, 3, 5])) == (0.75, 1.0)
    assert agreement(np.array([1], np.int32), np.array([1], np.int64)) == (1.0, 1.0)
    assert agreement(np.array([True]), np.array([False])) == (0.0, 1.0)
    assert agreement(np.array(["a", "b"]), np.array(["a", "c"])) == (0.5, 1.0)
    assert agreement(np.array([1.0]), np.array([1])) == (0.0, 1.0)
    assert agreement(np.array([], dtype=np.int64), np.array([], dtype=np.int64)) == (1.0, 1.0)


@pytest.mark.parametrize("name", golden_cases.CASES)
def test_every_case(name: str) -> None:
    """The table that all runtimes are held to."""
    case = golden_cases.CASES[name]
    here, golden = (
        {f"{at}.y": array for at, array in enumerate(arrays)} for arrays in (case.here[: len(case.golden)], case.golden)
    )
    found = compared(here, golden)
    assert len(found["wrong"]) == (1 if case.wrong else 0), found["wrong"]
    assert not case.wrong or case.wrong in found["wrong"][0]
    assert -1 - 1e-9 <= found["worst"] <= 1 + 1e-9


def test_what_is_said_of_infinities() -> None:
    found = compared({"0.y": [np.inf, 1.0, np.nan]}, {"0.y": [-np.inf, 1.0, 2.0]})
    assert found["wrong"] == ["input 0, output 'y': NaN or infinity differs at 2 of 3 places"] and found["worst"] == 0


def test_complex_values_are_pairs() -> None:
    golden = np.array([1 + 2j, complex(np.nan, -np.inf)])
    assert agreement(golden, golden) == (pytest.approx(1.0), pytest.approx(1.0))
    assert agreement(np.array([-2 + 1j, golden[1]]), golden)[0] == 0.0
    assert agreement(np.array([1 + 2j, complex(np.nan, np.inf)]), golden)[0] == 0.0
    assert agreement(golden.real, golden)[0] == 0.0


def test_halves_do_not_overflow() -> None:
    big = np.full(1000, 60_000, dtype=np.float16)
    assert agreement(big, big) == (pytest.approx(1.0), pytest.approx(1.0))


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
    found = kind_llm.compare(here, golden, {"margin": 0.5}, True)
    assert found["compared"] == 2 and found["worst"] == 0.5
    assert found["wrong"] == ["position 3: token 5 instead of 4, which led by 9.00"]
    unsure = kind_llm.compare(here, golden, {"margin": 99}, True)
    lost = kind_llm.compare(here, golden | {"margin": golden["margin"] * np.float32(np.nan)}, {"margin": 0.5}, True)
    assert lost["compared"] == 4 and len(lost["wrong"]) == 3
    fewer = kind_llm.compare({"top1": np.array([1, 2])}, golden, {"margin": 0.5}, True)
    assert fewer["wrong"] == ["position 3: token none instead of 4, which led by 9.00"]
    assert unsure["compared"] == 0 and unsure["worst"] is None and not unsure["wrong"]


@pytest.mark.parametrize(
    "shape", [(10,), (), (0, 3), (kind_tensor.MAX_VALUES,), (4, 100_003), (8, 16, 32, 64), (2**20,), (6, 510_510)]
)
def test_large_outputs_are_thinned_evenly(shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    kept = kind_tensor._spread(array)
    assert kept.size <= kind_tensor.MAX_VALUES
    if array.size <= kind_tensor.MAX_VALUES:
        np.testing.assert_array_equal(kept, array.ravel())
    else:
        assert kept.size > kind_tensor.MAX_VALUES // 20
        assert len(np.unique(np.diff(kept))) == 1
        if len(shape) > 1:  # every channel of the last axis is seen
            step = int(kept[1] - kept[0])
            assert len({(at * step) % shape[-1] for at in range(kept.size)}) == min(shape[-1], kept.size)


def test_feeds_are_in_their_order() -> None:
    inputs = {f"{at}.x": np.array(at) for at in (10, 9, 0)} | {"0.y.z": np.array(1)}
    found = goldens.feeds(inputs)
    assert [int(feed["x"]) for feed in found] == [0, 9, 10]
    assert set(found[0]) == {"x", "y.z"}
