"""The only printer: progress to stderr, results to stdout.

With --json stdout carries exactly one document, {schema, exit_code, data, error}, errors included; progress still
goes to stderr unless --quiet. rich is imported only when something is shown, so `edgekit --help` stays fast.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from edgekit.errors import EdgekitError


@dataclass
class _Settings:
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    documented: bool = False  # the one document of --json mode was printed


_settings = _Settings()
_live: list[Any] = []  # the spinner on screen, if any (innermost last)


def configure(*, json: bool = False, quiet: bool = False, verbose: bool = False) -> None:
    """Set once per command, before anything is printed."""
    _settings.json, _settings.quiet, _settings.verbose = json, quiet, verbose
    _settings.documented = False


def json_mode() -> bool:
    """True where the command prints one JSON document instead of text."""
    return _settings.json


def documented() -> bool:
    """True once the command has printed its JSON document: a later failure must not print a second one."""
    return _settings.documented


def say(text: str) -> None:
    """One line of progress, to stderr."""
    if not _settings.quiet:
        _stderr().print(text, markup=False, highlight=False)


def detail(text: str) -> None:
    """A line shown with --verbose only (every command that is run, for one)."""
    if _settings.verbose and not _settings.quiet:
        _stderr().print(text, markup=False, highlight=False, style="dim")


def warn(text: str) -> None:
    """A warning, to stderr, even with --quiet."""
    _stderr().print(f"warning: {text}", markup=False, highlight=False, style="yellow")


@contextmanager
def step(title: str) -> Iterator[None]:
    """A named step that takes time: a spinner on a terminal, one line with its seconds when it ends."""
    started = time.monotonic()
    if _settings.quiet:
        yield
        return
    status = _stderr().status(title) if sys.stderr.isatty() and not _live else None
    if status is not None:
        status.start()
        _live.append((status, title))
    else:
        say(f"{title} ...")
    try:
        yield
    finally:
        if status is not None:
            status.stop()
            _live.pop()
    say(f"{title}: {time.monotonic() - started:.1f} s")


def tick(text: str) -> None:
    """What the current step is doing now: updates its spinner, or a line with --verbose."""
    if _live:
        status, title = _live[-1]
        status.update(f"{title}: {text}")
    else:
        detail(f"  {text}")


def out(text: str = "") -> None:
    """One line of result, to stdout; nothing in --json mode, whose document is the result."""
    if not _settings.json:
        print(text, flush=True)


def stream(text: str) -> None:
    """A piece of streamed text, to stdout, at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """A result table on stdout; `right` are the indexes of right-aligned columns."""
    if _settings.json:
        return
    from rich.console import Console
    from rich.table import Table

    shown = Table()
    for index, column in enumerate(columns):
        shown.add_column(column, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(_escape(cell) for cell in row))
    console = Console(file=sys.stdout)
    if not sys.stdout.isatty():  # a pipe or a log has no width: do not fold at 80 columns
        console.width = 160
    if title:
        console.print(title, markup=False, highlight=False, style="bold", soft_wrap=True)
    console.print(shown)


def document(schema: str, data: object, *, exit_code: int = 0, error: EdgekitError | None = None) -> None:
    """The one JSON document of --json mode; `data` is plain JSON (dict, list, str, number, bool, None)."""
    failure = None
    if error is not None:
        failure = {"code": error.code, "message": error.message, "next": error.next}
        exit_code = exit_code or error.exit_code
    json.dump(
        {"schema": schema, "exit_code": exit_code, "data": data, "error": failure},
        sys.stdout,
        indent=2,
        ensure_ascii=False,
        allow_nan=False,
    )
    sys.stdout.write("\n")
    sys.stdout.flush()
    _settings.documented = True


def failure(error: EdgekitError) -> None:
    """An error for people: one line with the cause, one with the next step."""
    err = _stderr()
    err.print(f"error: {error.message}", markup=False, highlight=False, style="bold red", soft_wrap=True)
    if error.next:
        err.print(f"  next: {error.next}", markup=False, highlight=False, soft_wrap=True)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _stderr() -> Any:
    from rich.console import Console

    return Console(file=sys.stderr, soft_wrap=True)
