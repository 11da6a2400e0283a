"""A stranger's text without what a terminal, a CI system or a reader's eye would obey: one rule for all that is shown.

Names, notes, errors and answers come from models, bundles, results and devices of anybody. Shown as "?" are control
characters and escape sequences, marks that change the direction of text, characters that nobody can see, halves of
surrogate pairs, and what lets a line of a log give orders to a CI system. Spaces of other scripts, accents, emoji and
letters of every language stay.
"""

from __future__ import annotations

import re

# Controls (C0 but tab and newline, DEL, C1), direction marks, line and paragraph separators, half surrogate pairs,
# noncharacters, and Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt, 16.0) but for U+FE00 to FE0F,
# which choose how an emoji looks.
_UNSEEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b{joiners}\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_JOINERS = "\u200c\u200d"  # in an answer they spell words of Persian and Hindi, and emoji of families
UNSAFE = re.compile(f"[{_UNSEEN.format(joiners=_JOINERS)}]")
_UNSAFE_ANSWER = re.compile(f"[{_UNSEEN.format(joiners='')}]")
# GitHub obeys "::error::" at the start of a line and "##[error]" anywhere in it (ActionCommand.cs of its runner), Azure
# "##vso[...]", TeamCity "##teamcity[...]".
_INSIDE = r"(##(?:vso|teamcity)?)\["
_ORDER = re.compile(rf"(^\s*:):|{_INSIDE}", re.MULTILINE | re.IGNORECASE)
_KEPT = 64  # characters of a line that a later piece of it can complete to an order; more are never needed


def block(text: str) -> str:
    """Text of several lines: newline and tab stay."""
    return _ORDER.sub(_disarmed, UNSAFE.sub("?", text.replace("\r\n", "\n")))


def line(text: str) -> str:
    """Text that is one line: a newline inside would let a name write a line of its own."""
    return block(text.rstrip("\r\n").replace("\r\n", "?").replace("\n", "?"))


def cell(text: str) -> str:
    """What stands inside a line, a cell of a table, an attribute: as `line`, and no tab."""
    return line(text).replace("\t", " ")


def in_json(text: str) -> str:
    """JSON text whose strings are the same data, with escapes for what `block` would replace."""
    escaped = UNSAFE.sub(lambda found: _escapes(found[0]), text)
    return re.sub(_INSIDE, r"\1\\u005b", escaped, flags=re.IGNORECASE)


class Answer:
    """Text that comes in pieces; what is said of it is true of the pieces put together."""

    def __init__(self) -> None:
        self._line = ""  # what stands on the line already

    def piece(self, text: str) -> str:
        """The piece as it may be shown."""
        whole = self._line + _UNSAFE_ANSWER.sub("?", text.replace("\r\n", "\n"))
        shown = _ORDER.sub(_disarmed, whole)[len(self._line) :]  # an order is disarmed in place: lengths stay
        last = whole.rpartition("\n")[2]
        self._line = last if len(last) <= _KEPT else "." + last[1 - _KEPT :]
        return shown


def _disarmed(found: re.Match[str]) -> str:
    return f"{found[1] or found[2]}?"


def _escapes(character: str) -> str:
    """A character as JSON escapes it: as UTF-16, in one unit or two."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
