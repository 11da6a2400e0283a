"""The optimize stage's key: what a quantized model depends on."""

from __future__ import annotations

import pytest

from edgekit import optimize, plan, target
from edgekit.data import digest
from edgekit.plan import Plan
from tests.golden.plans import DATA, net

pytestmark = pytest.mark.unit


def planned(recipe: str, **changes: object) -> Plan:
    return plan.make(net(conv=1000, **changes), target.load("linux-cpu"), recipe=recipe, calibration=DATA)


def key(made: Plan, source: str = "1" * 64, calibration: str | None = "2" * 64) -> str:
    return digest(optimize.key(made, made.main, source, calibration))


def test_each_thing_that_a_model_depends_on_is_in_its_key() -> None:
    made = planned("int8_qdq")
    other_recipe = made.main.model_copy(update={"recipe_sha256": "3" * 64})
    other_files = made.main.model_copy(update={"files": ("model.onnx", "more.onnx")})
    keys = [
        key(made),
        key(made, source="4" * 64),
        key(made, calibration="5" * 64),
        key(planned("int8_qdq", opset=11)),  # another workflow: one pass more
        *(key(made.model_copy(update={"variants": (one,)})) for one in (other_recipe, other_files)),
    ]
    assert len(set(keys)) == len(keys)


def test_what_a_model_does_not_depend_on_is_not_in_its_key() -> None:
    """Another target's note or name makes no other model, and data that no recipe uses are none's."""
    made = planned("int8_qdq")
    renamed = made.model_copy(update={"model": "other", "target": "other", "notes": ("a note",)})
    assert key(renamed) == key(made)
    floating = planned("float32")
    assert key(floating, calibration="5" * 64) == key(floating, calibration=None)
