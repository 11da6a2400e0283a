"""A table of what files show, as spreadsheets, exporters and people write it: its column, its rows, their files."""

from __future__ import annotations

import codecs
import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit import strangers

SEPARATORS = ",;\t|"
# What people call the column that is wanted, the surest first.
WORDS = (
    *("label", "labels", "class", "class name", "category", "target", "text", "transcript", "transcription"),
    *("sentence", "y", "class id", "label id"),
)
INDEX = ("", "id", "index", "unnamed: 0")
HOT = ({"0", "1"}, {"0.0", "1.0"})
COLUMN = "head the column that is meant with `label`, or leave the others out"


class Unsure(ValueError):
    """What a table says can be read in two ways; `next` is what to do about it."""

    def __init__(self, message: str, next: str) -> None:
        super().__init__(message)
        self.next = next


@dataclass(frozen=True)
class Told:
    """What a table says.

    Attributes:
        by_file: the label of each file that it names, as it stands there.
        lost: what its other rows name, which is not there.
        unsure: why it is not read, where nobody asked for it.
    """

    by_file: dict[Path, str]
    lost: tuple[str, ...] = ()
    unsure: str = ""


def read(table: Path) -> str:
    """The text of a table: UTF-8 or, as spreadsheets save it, UTF-16 with its mark.

    Raises:
        OSError, ValueError: it cannot be read, or is of another encoding.
    """
    try:
        return strangers.text(table, encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        if error.object.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return strangers.text(table, encoding="utf-16")
        raise ValueError("it is not UTF-8: save it again as such (spreadsheets call it CSV UTF-8)") from None


def told(folder: Path, files: Sequence[Path], text: str, *, texts: bool, asked: bool = True) -> Told:
    """The label of each file that the table names: by its path, the end of one, its name, or that without suffix.

    Args:
        asked: somebody named it; of one that only lies there a head must say that a column is of labels.
        texts: labels are texts: one that is the last of two columns may hold the separator; of three without heads, as
            LJSpeech has them, the first is taken.

    Raises:
        Unsure: several columns may be the labels', or a file has two labels.
    """
    lines = [line for line in text.splitlines() if re.search(f"[{SEPARATORS}]", line) and not line.startswith("sep=")]
    separator = max(SEPARATORS, key=lines[0].count) if lines else ","
    rows = [row for line in lines if len(row := _cells(line, separator)) > 1]
    known = _known(folder, files, numbers=texts)
    at, most = _fullest(rows, known)
    if not most:
        return Told({})
    headed = _file(rows[0][at : at + 1], known) is None and not Path(rows[0][at].strip()).suffix
    head, body = (rows[0], rows[1:]) if headed else ([], rows)
    if texts and at == 0 and min(map(len, body)) == 2:
        body = [[row[0], separator.join(row[1:])] for row in body]
    pairs = [(name.strip(), label.strip()) for name, label in _pairs(head, body, at, texts=texts, sure=asked or texts)]
    return _labels(pairs, known, texts=texts)


def _labels(pairs: list[tuple[str, str]], known: Mapping[str, list[Path]], *, texts: bool) -> Told:
    if not texts and all(re.fullmatch(r"\d+\.0|", label) for _, label in pairs):  # numbers, of which one is missing
        pairs = [(name, label.removesuffix(".0")) for name, label in pairs]
    by_file: dict[Path, str] = {}
    lost = []
    for name, label in pairs:
        file = _file([name], known)
        if file is None:
            lost.append(name)
        elif (label or texts) and by_file.setdefault(file, label) != label:
            raise Unsure(f"{name} is said to be {by_file[file]!r} and {label!r}", "give one label for each file")
    return Told(by_file, tuple(lost))


def _pairs(head: list[str], body: list[list[str]], at: int, *, texts: bool, sure: bool) -> Iterator[tuple[str, str]]:
    """The file's name and its label in each row."""
    width = max(map(len, body), default=0)
    others = [column for column in range(width) if column != at]
    heads = {
        column: re.sub(r"[\s_-]+", " ", head[column]).strip().casefold() for column in others if column < len(head)
    }
    named = [column for word in WORDS for column, told in heads.items() if told == word]
    left = [column for column in others if heads.get(column, "?") not in INDEX]
    hot = len(left) > 1 and _hot([[row[column] for column in left if column < len(row)] for row in body])
    if hot and head and not named and sure:
        yield from ((row[at], next(head[column].strip() for column in left if float(row[column]))) for row in body)
        return
    if not named and (len(left) != 1 or (head and not sure)) and not (texts and not head):
        shown = ", ".join(head[column] for column in left) if head else f"columns {[column + 1 for column in left]}"
        raise Unsure(f"no column, or more than one, is headed as labels ({shown[:120]})", COLUMN)
    column = (named or left)[0]
    yield from ((row[at], row[column]) for row in body if max(at, column) < len(row))


def _hot(rows: list[list[str]]) -> bool:
    """Whether each row has a 1 for its class and 0 for all others."""
    return all(
        any({cell.strip() for cell in row} == cells for cells in HOT) and sum(map(float, row)) == 1 for row in rows
    )


def _known(folder: Path, files: Sequence[Path], *, numbers: bool) -> dict[str, list[Path]]:
    """The files of each way to name them; without suffix, a number alone may be anything unless `numbers`."""
    known = defaultdict(list)
    for file in files:
        names = {file.relative_to(folder).as_posix(), file.name}
        names |= {file.stem} if numbers or not file.stem.isdecimal() else set()
        for name in names | {name.casefold() for name in names}:
            known[name].append(file)
    return known


def _file(cell: list[str], known: Mapping[str, list[Path]]) -> Path | None:
    """The file that a cell names by its path, or by the end of one; None for none, and for several."""
    parts = "".join(cell).strip().replace("\\", "/").split("/")
    tails = ("/".join(parts[start:]) for start in range(len(parts)))
    fitting = (known.get(tail) or known.get(tail.casefold()) or [] for tail in tails if tail)
    files = next((each for each in fitting if each), [])
    return files[0] if len(files) == 1 else None


def _fullest(rows: list[list[str]], known: Mapping[str, list[Path]]) -> tuple[int, int]:
    """The column that names the most files, and how many."""
    width = max(map(len, rows), default=0)
    counts = [sum(_file(row[column : column + 1], known) is not None for row in rows) for column in range(width)]
    most = max(counts, default=0)
    return (counts.index(most) if counts else 0), most


def _cells(line: str, separator: str) -> list[str]:
    """One line's cells: a quotation mark that is never closed is a text's own, and so are all between tabs."""
    if separator == "\t":
        return [re.sub(r'^"(.*)"$', r"\1", cell) for cell in line.split("\t")]
    return next(csv.reader([line], delimiter=separator), [])
