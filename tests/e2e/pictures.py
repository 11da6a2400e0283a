"""Pictures of text for calibration: drawn, always the same, and no two with one text."""

from __future__ import annotations

from collections.abc import Iterator

from PIL.Image import Image

from edgekit.inputs import drawings, synthetic


def words() -> list[str]:
    """Sentences in ASCII."""
    return [line for line in synthetic.sentences() if line.isascii()]


def lines(count: int, width: int) -> Iterator[Image]:
    """One line of text each, 48 pixels high."""
    texts = words()
    for at in range(count):
        yield drawings.line(texts[at * 11 % len(texts)][: 12 + at % 20].strip(), 5000 + at, 48, width)


def pages(count: int) -> Iterator[Image]:
    """Three to seven lines in a scene of 640 by 480 pixels."""
    texts = words()
    for at in range(count):
        chosen = [texts[(at * 7 + k * 13) % len(texts)][: 8 + (at + k) % 18].strip() for k in range(3 + at % 5)]
        yield drawings.scene(chosen, 9000 + at, 480, 640)
