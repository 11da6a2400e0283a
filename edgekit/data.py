"""What every file on disk shares: strict models, canonical JSON, digests, atomic writing, nearest-name hints."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """The base of everything written to disk: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def jsonable(model: BaseModel) -> dict[str, Any]:
    """A pydantic model as plain JSON data, without fields that say nothing (None)."""
    return model.model_dump(mode="json", exclude_none=True)


def canonical(data: Any) -> bytes:
    """The one JSON text of `data`: sorted keys, no spaces, UTF-8. Digests are taken of this."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(data: Any) -> str:
    """sha256 (hex) of the canonical JSON of `data`."""
    return hashlib.sha256(canonical(data)).hexdigest()


def file_digest(path: Path) -> str:
    """sha256 (hex) of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_atomic(path: Path, text: str) -> None:
    """Write a text file aside, flush it to disk and rename it into place: never half-written."""
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(aside).chmod(0o644)
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def pretty(data: Any) -> str:
    """JSON for people and diffs: two spaces, sorted keys, a newline at the end."""
    return json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def nearest(word: str, known: Iterable[str]) -> str:
    """'; did you mean "x"?' when a known word is close, else nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
