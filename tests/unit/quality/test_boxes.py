from __future__ import annotations

import numpy as np
import pytest

from edgekit.quality import _boxes

pytestmark = pytest.mark.unit


def drawn(*regions: tuple[slice, slice], value: float = 0.9) -> np.ndarray:
    picture = np.zeros((60, 80), np.float32)
    for region in regions:
        picture[region] = value
    return picture


LINE = (slice(10, 18), slice(8, 48))
OTHER = (slice(40, 48), slice(30, 70))


def test_a_region_is_a_box_grown_by_the_unclip_ratio() -> None:
    [box] = _boxes.text_boxes(drawn(LINE))
    grown = 40 * 8 * 1.6 / (2 * (40 + 8))
    assert box == pytest.approx([8 - grown, 10 - grown, 48 + grown, 18 + grown])


def test_nothing_faint_or_thin_is_text() -> None:
    faint = drawn(LINE, value=0.4)  # above the map's threshold, below the box's
    assert len(_boxes.text_boxes(faint)) == 0
    assert len(_boxes.text_boxes(drawn((slice(10, 12), slice(8, 48))))) == 0
    assert _boxes.text_boxes(drawn()).shape == (0, 4)


@pytest.mark.parametrize(
    ("picture", "regions"),
    [
        (["##..##", "##..##"], 2),
        (["#....#", "######", "......"], 1),  # joined from below
        (["#.#.#", "#.#.#", "#####"], 1),
        (["##...", "..##.", "....#"], 1),  # by corners
        (["#####", "#...#", "#.#.#", "#...#", "#####"], 2),  # a ring and what lies in it
        (["..#..", ".....", "..#.."], 2),
        (["#.#", "...", "#.#"], 4),
    ],
)
def test_regions_are_what_touches(picture: list[str], regions: int) -> None:
    mask = np.array([[one == "#" for one in row] for row in picture])
    labels = _boxes._regions(mask)
    assert ((labels > 0) == mask).all()
    assert len(np.unique(labels[mask])) == regions


def test_regions_agree_with_a_flood_fill() -> None:
    rng = np.random.default_rng(7)
    for share in (0.2, 0.4, 0.5, 0.7):
        mask = rng.random((40, 50)) < share
        labels, filled = _boxes._regions(mask), flood(mask)
        pairs = set(zip(labels[mask].tolist(), filled[mask].tolist(), strict=True))
        assert len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs})


def flood(mask: np.ndarray) -> np.ndarray:
    labels = np.zeros(mask.shape, int)
    for at, start in enumerate(zip(*np.nonzero(mask), strict=True), 1):
        todo = [start]
        while todo:
            y, x = todo.pop()
            if 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and mask[y, x] and not labels[y, x]:
                labels[y, x] = at
                todo += [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    return labels


def test_matches_are_one_to_one_and_overlap_by_half() -> None:
    both = _boxes.text_boxes(drawn(LINE, OTHER))
    one = _boxes.text_boxes(drawn(LINE))
    assert _boxes.matches(both, both) == 2
    assert _boxes.matches(both, one) == _boxes.matches(one, both) == 1
    assert _boxes.matches(one, np.vstack([one, one])) == 1
    assert _boxes.matches(one, one + 60) == 0
    assert _boxes.matches(one, one + np.array([15, 0, 15, 0])) == 1
    assert _boxes.matches(one, one + np.array([40, 0, 40, 0])) == 0
    assert _boxes.matches(one, np.empty((0, 4))) == 0
