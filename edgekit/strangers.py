"""Text files that a user names: regular, of a bounded size, and shallow; what is none is refused, in words, at once.

Every error is a ValueError or an OSError, so that a caller names the file and says what to do. A pipe would be waited
for, and a device like /dev/zero never ends. Python's parsers meet a thousand brackets with a RecursionError, and a
number of a thousand digits is none to whatever comes after them.
"""

from __future__ import annotations

import json
import math
import os
import stat
import tomllib
from pathlib import Path
from typing import Any

MOST = 64 * 2**20  # bytes
DEPTH = 64  # of tables and lists in each other
WHOLE = 2**63  # whole numbers are smaller, as TOML has them


def text(path: Path, most: int = MOST, encoding: str = "utf-8") -> str:
    """The text of a regular file.

    Raises:
        OSError, ValueError: it cannot be read, is no regular file, too large, or no text.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as stream:
        kind = os.fstat(stream.fileno()).st_mode
        if not stat.S_ISREG(kind):
            raise ValueError("it is no regular file")
        content = stream.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it is larger than {most / 1e6:.0f} MB")
    return content.decode(encoding)


def toml(path: Path) -> dict[str, Any]:
    """The table in a TOML file; raises as `text`."""
    try:
        table = tomllib.loads(text(path))
    except RecursionError:
        raise ValueError(_DEEP) from None
    except ValueError as error:
        raise _worded(error) from None
    bounded(table)
    return table


def from_json(path: Path, most: int = MOST) -> Any:
    """What a JSON file holds; raises as `text`."""
    try:
        data = json.loads(text(path, most))
    except RecursionError:
        raise ValueError(_DEEP) from None
    except ValueError as error:
        raise _worded(error) from None
    bounded(data, finite=True)
    return data


def bounded(data: Any, *, finite: bool = False) -> None:
    """Refuse data that is deeper than DEPTH, or has a whole number that reaches WHOLE; JSON has finite numbers alone.

    Raises:
        ValueError: with the reason.
    """
    level, below = [data], 0
    while level:
        if below > DEPTH:
            raise ValueError(_DEEP)
        if any(type(value) is int and not -WHOLE <= value < WHOLE for value in level):
            raise ValueError(_LONG)
        if finite and any(isinstance(value, float) and not math.isfinite(value) for value in level):
            raise ValueError("a number in it is not finite")
        level = [inner for value in level if isinstance(value, dict | list) for inner in _inside(value)]
        below += 1


def _worded(error: ValueError) -> ValueError:
    """Python's parsers advise a function of its own where a number has thousands of digits."""
    return ValueError(_LONG) if "set_int_max_str_digits" in str(error) else error


def _inside(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


_LONG = "a whole number in it is longer than 64 bits"
_DEEP = f"it is nested more than {DEPTH} deep"
