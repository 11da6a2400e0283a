"""Tables that fit the width there is: cells fold between words, and a table too wide for its names becomes lines."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from edgekit import plain

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

EDGES = 3  # columns of a terminal that a border and its blanks take of each column, and one more in all


def cell(text: str) -> Text:
    """A cell or a title for rich, which must find no markup in it; lines of a cell stay."""
    from rich.text import Text

    return Text("\n".join(map(plain.cell, text.split("\n"))))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int], width: int) -> Table | None:
    """A table in which no word is broken; None where `width` is too little for that.

    Args:
        right: indexes of right-aligned columns.
        width: of the terminal, in its columns.
    """
    from rich.table import Table

    texts = list(zip_longest(columns, *rows, fillvalue=""))
    widths = _fitting(texts, width - EDGES * len(columns) - 1)
    if widths is None:
        return None
    shown = Table()
    for index, (column, taken) in enumerate(zip(columns, widths, strict=True)):
        shown.add_column(cell(column), justify="right" if index in right else "left", width=taken)
    for row in rows:
        shown.add_row(*map(cell, row))
    return shown


def listed(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> str:
    """The same as lines: each row under its first cell, a line and its continuations for each other cell."""
    named = max((len(column) for column in columns[1:]), default=0)
    lines = []
    for first, *others in rows:
        lines.append(str(cell(first)))
        for column, text in zip(columns[1:], others, strict=True):
            if text.strip():
                lines.append(pair(f"  {column:<{named}}  ", str(cell(text)), width))
    return "\n".join(lines)


def pair(title: str, text: str, width: int) -> str:
    """A title and a text that folds beside it, between words; one that has no blank stays whole."""
    beside = " " * len(title)
    parts = textwrap.wrap(text, max(width - len(title), 1), break_long_words=False, break_on_hyphens=False)
    return title + f"\n{beside}".join(parts)


def _fitting(texts: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """Widths of columns with these texts: as wide as they are, then the widest as narrow as its longest word."""
    least = [max(_longest(str(cell(text)).split()) for text in column) for column in texts]
    widths = [max(_longest(str(cell(text)).split("\n")) for text in column) for column in texts]
    if sum(least) > room:
        return None
    while sum(widths) > room:
        _, widest = max((taken, at) for at, taken in enumerate(widths) if taken > least[at])
        widths[widest] -= 1
    return widths


def _longest(parts: Sequence[str]) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, parts), default=0)
