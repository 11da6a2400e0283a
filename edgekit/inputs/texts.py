"""Texts as inputs: token ids, mask and types by the tokenizer.json beside the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import SourceError
from edgekit.extras import require
from edgekit.model import Tensor, TextInput

SUFFIXES = frozenset({".txt"})


class Tokenizer:
    """The tokenizer.json of a folder.

    Raises:
        ToolMissing: the `build` extra, which brings the package tokenizers, is not installed.
        SourceError: there is no such file, or it is broken.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise SourceError(
                "there is no tokenizer.json beside the model", next="put it there, or give token ids as .npz"
            )
        require("build")
        import tokenizers  # type: ignore[import-untyped]

        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the package raises bare Exception
            reason = (str(error).splitlines() or ["no reason given"])[0][:200]
            raise SourceError(f"tokenizer.json cannot be read: {reason}", next="fetch the model again") from None
        self._tokenizer.no_padding()

    def arrays(self, text: str, wanted: list[tuple[Tensor, TextInput]]) -> dict[str, NDArray[Any]]:
        """Every text input of one call: [1, tokens], cut at max_tokens, filled up where the model's length is fixed."""
        self._tokenizer.enable_truncation(min(_room(tensor, form) for tensor, form in wanted))
        encoded = self._tokenizer.encode(text)
        values = {"ids": encoded.ids, "mask": encoded.attention_mask, "types": encoded.type_ids}
        return {tensor.name: _row(values[form.feature], tensor) for tensor, form in wanted}


def read(path: Path) -> list[str]:
    """The texts of a file, one a line; empty lines are left out."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SourceError(f"{path.name} is not UTF-8 text", next="save it as UTF-8") from None
    except OSError as error:
        raise SourceError(f"cannot read {path.name}: {error.strerror}", next="check its rights") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _length(tensor: Tensor) -> int | None:
    dim = tensor.shape[-1] if tensor.shape else None
    return dim if isinstance(dim, int) else None


def _room(tensor: Tensor, form: TextInput) -> int:
    return min(form.max_tokens, _length(tensor) or form.max_tokens)


def _row(values: list[int], tensor: Tensor) -> NDArray[Any]:
    row = np.zeros((1, _length(tensor) or len(values)), np.dtype(tensor.dtype))
    row[0, : len(values)] = values
    return row
