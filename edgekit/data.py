"""What every file on disk shares: strict models, canonical JSON, digests, atomic writing, nearest-name hints."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from edgekit import plain, scratch

Part = TypeVar("Part", bound=BaseModel)


class Strict(BaseModel):
    """The base of everything written to disk: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def part(model: type[Part], whole: BaseModel, **more: Any) -> Part:
    """The fields of `model` as another document has them, with those that it has not."""
    return model(**{name: getattr(whole, name) for name in model.model_fields if name not in more}, **more)


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
    """Write a file of our own aside, flush it to disk and rename it into place: never half-written.

    What a user names is written by `output.write`, which minds links, devices and rights.
    """
    with scratch.beside(path) as new:
        new.write_bytes(encoded(text))


def encoded(text: str) -> bytes:
    """UTF-8; half a surrogate pair (of a file's name that is none) becomes the escape that JSON has for it."""
    return text.encode("utf-8", "backslashreplace")


def pretty(data: Any) -> str:
    """JSON for people and diffs: two spaces, sorted keys, a newline at the end, escapes for what cannot be seen."""
    return plain.in_json(json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)) + "\n"


def first_fault(error: ValidationError) -> tuple[str, str, ErrorDetails]:
    """Where a document is wrong first, as a dotted path; in pydantic's words; and all that it says of it."""
    fault = error.errors(include_url=False)[0]
    return ".".join(map(str, fault["loc"])), fault["msg"], fault


def nearest(word: str, known: Iterable[str]) -> str:
    """'; did you mean "x"?' when a known word is close, else nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
