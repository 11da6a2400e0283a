"""An answer of a runtime in another form than the contract's ends in one line, not in a traceback."""

from __future__ import annotations

from typing import Any

import pytest

from edgekit.contract.check_plan import BenchOutcome, GoldensAnswer, Identity, LoadOutcome
from edgekit.data import Strict
from edgekit.devices._answers import read
from edgekit.errors import DeviceError

pytestmark = pytest.mark.unit
LOAD = {"load_s": 0.5, "page_cache": "cold", "kind": "llm"}


def test_an_answer_of_the_contract_is_taken() -> None:
    assert read(LoadOutcome, LOAD, "load").load_s == 0.5
    assert read(Identity, {"cores": 4, "newer": 1}, "identify", extra="ignore").cores == 4


@pytest.mark.parametrize(
    ("form", "answer", "words"),
    [
        (
            LoadOutcome,
            {**LOAD, "load_s": "soon"},
            "to act cannot be used: load_s: Input should be a valid number",
        ),
        (LoadOutcome, {**LOAD, "more": 1}, "more: Extra inputs are not permitted"),
        (LoadOutcome, {}, "load_s: Field required"),
        (BenchOutcome, [], "Input should be a valid dictionary"),
        (Identity, None, "Input should be a valid dictionary"),
        (GoldensAnswer, {"goldens": {}, "engines": []}, "goldens.rule: Field required"),
        (GoldensAnswer, "x" * 10_000, "Input should be a valid dictionary"),
    ],
)
def test_another_one_is_the_devices_fault_in_one_line(form: type[Strict], answer: Any, words: str) -> None:
    with pytest.raises(DeviceError) as caught:
        read(form, answer, "act")
    assert words in caught.value.message
    assert caught.value.exit_code == 8 and caught.value.next and "\n" not in caught.value.message
    assert len(caught.value.message) < 400
