"""Read JSON so that it means one thing to every parser that may read it after this one.

Engines have parsers of their own. Of a key that stands twice, GenAI's takes both, nlohmann's the last; GenAI's ends
at the first whole value, takes `t` for true, and cuts a text at its first zero byte; Python's takes NaN, a byte order
mark and UTF-16. Whatever they would read in two ways is refused here.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

MAX_BYTES = 64 << 20  # the largest tokenizers have 20 MB
MAX_NESTING = 64
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)  # possessive: linear, also when the last quote is missing
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def loads(raw: bytes, *, names: bool = False, max_bytes: int = MAX_BYTES) -> Any:
    """The value that these bytes hold, as UTF-8.

    Args:
        names: the keys are names that a program knows, not a vocabulary: two that differ by case alone are refused,
            and so is a zero byte in a text.
        max_bytes: more are refused before anything is read.

    Raises:
        ValueError: one line, why parsers would differ about it or could not read it.
    """
    if len(raw) > max_bytes:
        raise ValueError(f"it is larger than {max_bytes // 2**20} MiB")
    text = raw.decode("utf-8")  # a UnicodeDecodeError is a ValueError
    if text.startswith("\ufeff"):
        raise ValueError("it begins with a byte order mark")
    if _too_deep(text):
        raise ValueError(f"its brackets do not close, or nest deeper than {MAX_NESTING}")
    value = json.loads(
        text,
        object_pairs_hook=_folded if names else _unique,
        parse_constant=_no_constant,
        parse_float=_finite,
        parse_int=_integer,
    )
    if _SURROGATE.search(text) and _half_pair(value):
        raise ValueError("half a surrogate pair stands in a text")
    if names and "\\u0000" in text:
        raise ValueError("a zero byte stands in a text")
    return value


def _too_deep(text: str) -> bool:
    """True when brackets nest deeper than MAX_NESTING or do not close. Each pass takes one level away."""
    brackets = re.sub(r"[^][{}]+", "", _STRING.sub("", text)).replace("{", "[").replace("}", "]")
    for _ in range(MAX_NESTING):
        brackets = brackets.replace("[]", "")
    return bool(brackets)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        seen: set[str] = set()
        _twice(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return data


def _folded(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = _unique(pairs)
    seen: dict[str, str] = {}
    for key in data:
        before = seen.setdefault(key.casefold(), key)
        if before != key:
            raise ValueError(f"the keys {_cut(before)} and {_cut(key)} are one to a reader that does not look at case")
    return data


def _twice(key: str) -> NoReturn:
    raise ValueError(f"the key {_cut(key)} stands twice in one object")


def _cut(key: str) -> str:
    return ascii(key[:80])


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON number")


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"the number {text[:40]} is larger than a double can be")
    return value


def _integer(text: str) -> int:
    if len(text) > 300:  # beyond a double, to which most parsers turn it
        raise ValueError(f"the number {text[:40]}... is larger than a double can be")
    return int(text)


def _half_pair(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
