"""Calibration text for a language model: the user's files, cut into documents, without what the gate judges by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit import digests, strangers
from edgekit.data import digest
from edgekit.errors import SourceError, UsageError
from edgekit.inputs.calibration import Calibration

SUFFIXES = frozenset({".txt", ".md"})
DOCUMENT = 6000  # characters
LEAST = 8000  # characters in all: about 2,000 tokens of English
MOST = 2_000_000  # characters that are looked at


@dataclass(frozen=True)
class TextCalibration(Calibration):
    """Text that calibrated recipes read; the gate judges by other text, so nothing is left to evaluate with.

    Attributes:
        documents: what the Olive child tokenizes itself.
        dropped: paragraphs that are in the gate's text too.
    """

    documents: tuple[str, ...] = ()
    dropped: int = 0

    def facts(self) -> dict[str, Any]:
        """What a plan and a manifest say of it."""
        return {
            "form": self.form,
            "inputs": self.items,
            "characters": sum(map(len, self.documents)),
            "dropped": self.dropped,
            "sha256": self.sha256,
        }

    def write_feeds(self, folder: Path) -> None:
        """Write the documents into an existing folder, for the Olive child."""
        for at, text in enumerate(self.documents):
            (folder / f"{at:05}.txt").write_text(text, encoding="utf-8")


def readable(path: Path) -> bool:
    """Whether a file, or all that a folder shows, is text."""
    if path.is_file():
        return path.suffix.lower() in SUFFIXES
    shown = [file for file in path.rglob("*") if file.is_file() and not file.name.startswith(".")]
    return bool(shown) and all(file.suffix.lower() in SUFFIXES for file in shown)


def open_text(path: Path, judged: Iterable[str] = ()) -> TextCalibration:
    """The text of a file, or of the .txt and .md files of a folder and its subfolders.

    Args:
        judged: the gate's texts; a paragraph that is in one of them is left out.

    Raises:
        UsageError: nothing there, too little of it, or all of it is what the gate judges by.
        SourceError: a file that is not UTF-8 text.
    """
    files = [path] if path.is_file() else _texts(path)
    if not files:
        raise UsageError(f"no calibration text at {path}", next="give a text file, or a folder with .txt or .md files")
    taken = digests.snapshot(path, what=f"the calibration text in {path.name}")
    known = {paragraph for text in judged for paragraph in _paragraphs(text)}
    documents: list[str] = []
    dropped = left = 0
    for file in files:
        kept: list[str] = []
        for paragraph in _paragraphs(_read(file)[: MOST - left]):
            if paragraph in known:
                dropped += 1
            else:
                kept.append(paragraph)
        left += sum(map(len, kept))
        documents += _documents(kept)
    if left < LEAST:
        why = f" beside the {dropped} paragraphs that the gate judges by" if dropped else ""
        raise UsageError(
            f"the calibration text has {left} characters{why}, {LEAST} are needed",
            next="give some pages more, like what the app will see",
        )
    sha256 = digest(documents)
    return TextCalibration("text", len(documents), sha256, (), (), taken, documents=tuple(documents), dropped=dropped)


def _texts(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES and path.is_file()]


def _read(file: Path) -> str:
    try:
        return strangers.text(file, 2**30, "utf-8-sig")
    except UnicodeDecodeError:
        raise SourceError(f"{file.name} is not UTF-8 text", next="save it as UTF-8") from None
    except ValueError as error:
        raise SourceError(f"{file.name}: {error}", next="give a text file") from None
    except OSError as error:
        raise SourceError(f"cannot read {file.name}: {error.strerror}", next="check its rights") from None


def _paragraphs(text: str) -> Iterator[str]:
    """The parts between empty lines, without white space at their ends."""
    return (part.strip() for part in text.replace("\r\n", "\n").split("\n\n") if part.strip())


def _documents(paragraphs: list[str]) -> Iterator[str]:
    """The paragraphs joined to documents of about DOCUMENT characters."""
    document = ""
    for paragraph in paragraphs:
        if document and len(document) + len(paragraph) > DOCUMENT:
            yield document
            document = ""
        document += f"\n\n{paragraph}" if document else paragraph
    if document:
        yield document
