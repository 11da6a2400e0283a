"""What outputs say: texts of CTC scores, with the blank where a recognizer has it."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.inputs.outputs import blank_of, ctc_text

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("labels", "best", "text"),
    [
        (("", "a", "b"), [1, 1, 0, 1, 2, 0], "aab"),
        (("", " ", "a", ""), [2, 0, 2, 1, 3, 2], "aa a"),  # a blank first, and special tokens without a text
        (("\u2581the", "\u2581cat", "s", ""), [0, 3, 1, 1, 3, 2, 2, 3], " the cats"),  # NeMo: pieces, the blank behind
        (("a", "b", "c"), [1, 0, 2], "bc"),  # nothing says which it is: the first
    ],
)
def test_the_blank_is_the_first_label_or_the_last(labels: tuple[str, ...], best: list[int], text: str) -> None:
    assert ctc_text(np.eye(len(labels), dtype=np.float32)[best], labels) == text
    assert blank_of(()) == 0
