"""Matrices get the bits that lose least in a size: held against all choices there are."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from edgekit.errors import UsageError
from edgekit.predict import allocation
from edgekit.predict.allocation import Option

pytestmark = pytest.mark.unit


def matrices(seed: int, count: int = 5, ways: int = 4) -> list[list[Option]]:
    """More bytes cost less, but for some: what rounding does is measured."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        sizes = sorted(int(size) for size in random.integers(10, 200, ways))
        costs = sorted((float(cost) for cost in random.exponential(size=ways)), reverse=True)
        random.shuffle(costs[1:3])
        made.append([Option(size, cost) for size, cost in zip(sizes, costs, strict=True)])
    return made


def total(some: list[list[Option]], chosen: tuple[int, ...] | list[int]) -> tuple[int, float]:
    options = [each[at] for each, at in zip(some, chosen, strict=True)]
    return sum(each.bytes for each in options), sum(each.cost for each in options)


def best(some: list[list[Option]], budget: int) -> float:
    """The least cost of all choices within the budget."""
    choices = (total(some, chosen) for chosen in product(*(range(len(each)) for each in some)))
    return min(cost for size, cost in choices if size <= budget)


@pytest.mark.parametrize("seed", range(12))
def test_no_choice_within_the_size_is_better_by_more_than_one_step(seed: int) -> None:
    some = matrices(seed)
    smallest = sum(min(option.bytes for option in each) for each in some)
    most = sum(max(option.bytes for option in each) for each in some)
    for budget in range(smallest, most + 1, 37):
        size, cost = total(some, allocation.allocate(some, budget))
        assert size <= budget
        step = max(max(option.cost for option in each) - min(option.cost for option in each) for each in some)
        assert best(some, budget) <= cost <= best(some, budget) + step


@pytest.mark.parametrize("multiplier", [0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 1.0])
def test_of_the_bytes_that_a_multiplier_takes_the_best_is_made(multiplier: float) -> None:
    for seed in range(4):
        some = matrices(seed)
        chosen = [min(range(4), key=lambda at: each[at].cost + multiplier * each[at].bytes) for each in some]
        size, cost = total(some, chosen)
        assert total(some, allocation.allocate(some, size))[1] == pytest.approx(cost) == pytest.approx(best(some, size))


def test_with_all_room_every_matrix_gets_its_cheapest_and_with_none_its_smallest() -> None:
    some = matrices(1)
    smallest = sum(min(option.bytes for option in each) for each in some)
    _, cost = total(some, allocation.allocate(some, 10**6))
    assert cost == pytest.approx(sum(min(option.cost for option in each) for each in some))
    assert total(some, allocation.allocate(some, smallest))[0] == smallest
    with pytest.raises(ValueError, match="are the least"):
        allocation.allocate(some, smallest - 1)


def test_equal_matrices_are_taken_in_their_order() -> None:
    alike = [[Option(10, 2.0), Option(20, 1.0)] for _ in range(4)]
    assert allocation.allocate(alike, 60) == allocation.allocate(alike, 60) == [1, 1, 0, 0]


@pytest.mark.parametrize(("text", "count"), [("130MB", 130_000_000), ("2.4 gb", 2_400_000_000), ("900KB", 900_000)])
def test_a_size_is_a_number_and_a_unit(text: str, count: int) -> None:
    assert allocation.size(text) == count


@pytest.mark.parametrize("text", ["130", "MB", "-3MB", "0MB", "1e3MB", "130 MiB"])
def test_what_is_no_size_says_how_one_is_written(text: str) -> None:
    with pytest.raises(UsageError, match="is no size of a bundle") as error:
        allocation.size(text)
    assert "130MB" in error.value.next


@pytest.mark.parametrize("asked", [99, 121])
def test_a_size_out_of_reach_is_refused_with_both_ends(asked: int) -> None:
    allocation.refuse(100_000_000, 100_000_000, 118_000_000)
    allocation.refuse(120_000_000, 100_000_000, 118_000_000)  # 1.7 % below it is within
    with pytest.raises(UsageError, match=r"from 100\.0 to 118\.0 MB") as error:
        allocation.refuse(asked * 1_000_000, 100_000_000, 118_000_000)
    assert f"--size {'100' if asked < 100 else '118'}MB" in error.value.next
