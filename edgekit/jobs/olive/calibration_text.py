"""Calibration text for language models: local files become batches of token ids, as Olive's passes take them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekit import files
from edgekit.errors import SourceError

LEAST = 16  # tokens of a usable piece


class CalibrationText:
    """({"input_ids", "attention_mask"}, labels) of pieces [1, tokens], one behind the other through all documents."""

    def __init__(self, folder: str, source: str, samples: int, tokens: int, default_sha256: str) -> None:
        """Read the .txt files of `folder`, each a document; with no folder, the text that ships with edgekit.

        Args:
            source: the folder of the tokenizer.
            samples, tokens: at most so many pieces of so many tokens.
            default_sha256: of the shipped text; part of the plan only.
        """
        from transformers import AutoTokenizer

        tokenizer: Any = AutoTokenizer.from_pretrained(source, local_files_only=True)
        self.pieces = list(_pieces(tokenizer, documents(folder), tokens))[:samples]
        if not self.pieces:
            raise SourceError("the calibration text is too short", next="give some pages of text")

    def __len__(self) -> int:
        return len(self.pieces)

    def __iter__(self) -> Iterator[tuple[dict[str, Any], Any]]:
        return (self[at] for at in range(len(self)))

    def __getitem__(self, at: int) -> tuple[dict[str, Any], Any]:
        import torch

        if at >= len(self.pieces):
            raise IndexError(at)
        ids = torch.tensor([self.pieces[at]])
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, ids


def documents(folder: str) -> list[str]:
    """The texts of a folder, or the parts of the shipped one where none is given (an unfilled placeholder)."""
    if folder and not folder.startswith("${"):
        return [path.read_text(encoding="utf-8", errors="replace") for path in sorted(Path(folder).glob("*.txt"))]
    text = files.resource("recipes/data/calibration.txt").read_text(encoding="utf-8")
    return text.split(SEPARATOR)


SEPARATOR = "\n\f\n"  # between the documents of the shipped text


def _pieces(tokenizer: Any, texts: list[str], tokens: int) -> Iterator[list[int]]:
    """First the beginning of every document, then what follows in each: a few samples see all kinds of text."""
    encoded = [tokenizer(text)["input_ids"] for text in texts]
    for start in range(0, max(map(len, encoded), default=0), tokens):
        for ids in encoded:
            piece = ids[start : start + tokens]
            if len(piece) >= LEAST:
                yield piece
