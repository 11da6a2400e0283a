"""The only printer: progress to stderr, results to stdout.

With --json stdout carries exactly one document, {schema, exit_code, data, error}, errors included; progress still
goes to stderr unless --quiet. rich is imported only when something is shown, so `edgekit --help` stays fast.

Whatever is shown may come from a stranger, so all of it goes through edgekit/plain.py: nothing that is printed here is
obeyed by a terminal, a CI system or rich.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from edgekit import plain
from edgekit.errors import EdgekitError


@dataclass
class _Settings:
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    documented: bool = False  # the one document of --json mode was printed


_settings = _Settings()
_live: list[Any] = []  # the spinner on screen, if any (innermost last)
_answer = plain.Answer()
_thought = plain.Answer()


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
        _stderr().print(plain.line(text))


def detail(text: str) -> None:
    """A line shown with --verbose only (every command that is run, for one)."""
    log(plain.line(text))


def log(text: str) -> None:
    """Several lines shown with --verbose only: a traceback, what a program said."""
    if _settings.verbose and not _settings.quiet:
        _stderr().print(plain.block(text), style="dim")


def warn(text: str) -> None:
    """A warning, to stderr, even with --quiet."""
    _stderr().print(plain.line(f"warning: {text}"), style="yellow")


@contextmanager
def step(title: str) -> Iterator[None]:
    """A named step that takes time: a spinner on a terminal, one line with its seconds when it ends."""
    started = time.monotonic()
    if _settings.quiet:
        yield
        return
    title = plain.line(title)
    status = _stderr().status(_text(title)) if sys.stderr.isatty() and not _live else None
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
        status.update(_text(plain.line(f"{title}: {text}")))
    else:
        detail(f"  {text}")


def out(text: str = "") -> None:
    """One line of result, to stdout; nothing in --json mode, whose document is the result."""
    if not _settings.json:
        _write(plain.line(text) + "\n")


def page(text: str) -> None:
    """A result of several lines, to stdout: a file's text, a script; nothing in --json mode."""
    if not _settings.json:
        _write(plain.block(text).rstrip("\n") + "\n")


def stream(text: str) -> None:
    """A piece of an answer, to stdout, at once."""
    _write(_answer.piece(text))


def thought(text: str) -> None:
    """A piece of what a model thinks before it answers: dimmed, to stderr, so that stdout is the answer."""
    if not _settings.quiet:
        _stderr().print(_thought.piece(text), style="dim", end="", soft_wrap=True)


def event(data: object) -> None:
    """A line of JSON on stdout, at once: what --json streams."""
    _write(plain.in_json(_json(data)) + "\n")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """A result table on stdout; `right` are the indexes of right-aligned columns."""
    if _settings.json:
        return
    from rich.console import Console
    from rich.table import Table

    shown = Table()
    for index, column in enumerate(columns):
        shown.add_column(_text(column), justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(_text(cell) for cell in row))
    console = Console(file=sys.stdout, markup=False, emoji=False, highlight=False)
    if not sys.stdout.isatty():  # a pipe or a log has no width: do not fold at 80 columns
        console.width = 160
    if title:
        console.print(plain.line(title), style="bold", soft_wrap=True)
    console.print(shown)


def document(schema: str, data: object, *, exit_code: int = 0, error: EdgekitError | None = None) -> None:
    """The one JSON document of --json mode; `data` is plain JSON (dict, list, str, number, bool, None)."""
    failure = None
    if error is not None:
        failure = {"code": error.code, "message": error.message, "next": error.next}
        exit_code = exit_code or error.exit_code
    whole = {"schema": schema, "exit_code": exit_code, "data": data, "error": failure}
    _write(plain.in_json(_json(whole, indent=2)) + "\n")
    _settings.documented = True


def failure(error: EdgekitError) -> None:
    """An error for people: one line with the cause, one with the next step."""
    err = _stderr()
    err.print(plain.line(f"error: {error.message}"), style="bold red")
    if error.next:
        err.print(plain.line(f"  next: {error.next}"))


def _json(data: object, indent: int | None = None) -> str:
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    return json.dumps(data, indent=indent, ensure_ascii=not unicode, allow_nan=False)


def _write(text: str) -> None:
    """To stdout; what its encoding lacks is shown as "?" too."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


def _text(text: str) -> Any:
    """A cell or a title for rich, which must find no markup in it; lines of a cell stay."""
    from rich.text import Text

    return Text("\n".join(map(plain.cell, text.split("\n"))))


def _stderr() -> Any:
    from rich.console import Console

    return Console(file=sys.stderr, soft_wrap=True, markup=False, emoji=False, highlight=False)
