"""The standard streams as a command meets them: closed, full, of another encoding, or another program's to block.

A closed one is opened on nothing before any file is, or the next file that is opened would have its number, and every
child would print into it. Progress that cannot be written is lost and the command goes on; a result that cannot be
written is an error. What an encoding lacks is shown as "?".
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress

from edgekit.errors import UsageError, from_oserror


class ReaderGone(Exception):
    """Whoever read a stream stopped. No BrokenPipeError, which rich would end the process for, with 1."""


_ELSEWHERE = "send it where it can be written: edgekit ... > FILE, or > /dev/null for the exit code alone"
_nowhere: set[int] = set()  # descriptors that lead to nothing


class _Result(io.TextIOWrapper):
    """Standard output; raises an EdgekitError, once, where the system refuses, and ReaderGone."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            raise self._lost(error) from error

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise self._lost(error) from error

    def _lost(self, error: OSError) -> Exception:
        if isinstance(error, BrokenPipeError):
            return ReaderGone()
        _open_on_nothing(1)  # what is still held goes there when Python ends
        failed = from_oserror(error, "writing to standard output", otherwise=UsageError)
        failed.next = _ELSEWHERE
        return failed


class _Progress(io.TextIOWrapper):
    """Standard error, which nothing depends on but a reader; raises ReaderGone alone."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._lost(error)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._lost(error)

    def _lost(self, error: OSError) -> None:
        if isinstance(error, BrokenPipeError):
            raise ReaderGone from None
        _open_on_nothing(2)


def prepare() -> None:
    """Put the process's own streams in order, before anything is opened or printed."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            _open_on_nothing(number)
    for number in (1, 2):
        with suppress(OSError):
            os.set_blocking(number, True)  # another program of the same terminal may have wished otherwise
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8")
    sys.stdout = _made(_Result, sys.stdout, 1)
    sys.stderr = _made(_Progress, sys.stderr, 2)


def check() -> None:
    """Refuse to begin work whose result nobody can read.

    Raises:
        UsageError: standard output was closed before edgekit began, or could not be written since.
    """
    if 1 in _nowhere:
        raise UsageError("standard output is closed: no result could be shown", next=_ELSEWHERE)


def _made(kind: type[io.TextIOWrapper], old: io.TextIOWrapper | object, number: int) -> io.TextIOWrapper:
    errors = "replace" if number == 1 else "backslashreplace"
    if not isinstance(old, io.TextIOWrapper):
        return kind(io.FileIO(number, "w", closefd=False), encoding="utf-8", errors=errors)
    encoding, buffered = old.encoding, old.line_buffering
    return kind(old.detach(), encoding=encoding, errors=errors, line_buffering=buffered)


def _open_on_nothing(number: int) -> None:
    _nowhere.add(number)
    null = os.open(os.devnull, os.O_RDWR)
    if null != number:
        os.dup2(null, number)
        os.close(null)
