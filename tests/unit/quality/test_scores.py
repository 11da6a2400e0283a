"""Figures by labels, beside those of pycocotools and jiwer on the same answers (recorded), and what chance has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.quality import _scores

pytestmark = pytest.mark.unit
RECORDED: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "fixtures" / "scores" / "recorded.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("case", RECORDED["boxes"])
def test_average_precision_is_cocos(case: dict[str, Any]) -> None:
    assert _scores.mean_average_precision(case["answers"], case["truth"]) == pytest.approx(case["map"], abs=1e-7)


def test_error_rates_are_jiwers() -> None:
    texts = RECORDED["texts"]
    of_words = _scores.error_rate(texts["answers"], texts["truth"], words=True)
    assert _scores.error_rate(texts["answers"], texts["truth"]) == pytest.approx(
        texts["character_error_rate"], abs=1e-7
    )
    assert of_words == pytest.approx(texts["word_error_rate"], abs=1e-7)


def test_nothing_is_found_or_asked_for() -> None:
    box = [0, 0.0, 0.0, 10.0, 10.0]
    assert _scores.mean_average_precision([[]], [[box]]) == 0
    assert _scores.mean_average_precision([[[*box, 0.9]]], [[]]) == 0
    assert _scores.error_rate(["word"], [""]) == 4


def test_chance_is_of_answers_that_have_nothing_to_do_with_the_labels() -> None:
    truth = [0, 1, 2, 3] * 5
    assert _scores.chance([2] * 20, truth, 4) == 0.25  # always the same
    assert _scores.chance(truth, truth, 4) == 0.25
    assert _scores.chance([0] * 20, [0] * 18 + [1] * 2, 2) == pytest.approx(0.9)  # as the commonest label alone
    assert _scores.chance([1] * 20, [1] * 20, 10) == 0.1  # one label tells nothing


def test_texts_are_compared_without_their_blanks_and_where_there_is_no_case_without_it() -> None:
    assert _scores.plain(" a\u0301  b\n") == "\u00e1 b"
    assert _scores.plain("HELLO", cased=False) == _scores.plain("hello", cased=False)


def test_letters_in_another_order() -> None:
    assert _scores.relettered(["ab c", "a"], 1) == ["bc a", "b"]
    assert _scores.relettered(["ab c"], 3) == ["ab c"] and _scores.relettered([""], 1) == [""]
