"""The only printer: progress to stderr, results to stdout.

With --json stdout carries exactly one document, {schema, exit_code, data, error}, errors included; progress still
goes to stderr unless --quiet. rich is imported only when something is shown, so `edgekit --help` stays fast.

Whatever is shown may come from a stranger, so all of it goes through edgekit/plain.py: nothing that is printed here is
obeyed by a terminal, a CI system or rich.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from edgekit import columns as columns_
from edgekit import plain, progress
from edgekit.errors import EdgekitError
from edgekit.progress import Running


@dataclass
class _Settings:
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    documented: bool = False  # the one document of --json mode was printed


_settings = _Settings()
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
        _stderr().print(plain.line(progress.told(text)))


def detail(text: str) -> None:
    """A line shown with --verbose only (every command that is run, for one)."""
    log(plain.line(text))


def log(text: str) -> None:
    """Several lines shown with --verbose only: a traceback, what a program said."""
    if _settings.verbose and not _settings.quiet:
        _stderr().print(plain.block(text), style="dim")


def warn(text: str) -> None:
    """A warning, to stderr, even with --quiet."""
    _stderr().print(plain.line(f"warning: {progress.told(text)}"), style="yellow")


@contextmanager
def step(title: str, seconds: float | None = None) -> Iterator[None]:
    """A named step that takes time: a spinner on a terminal, a line a minute in a log, one with its seconds at the end.

    Args:
        seconds: how long it will take, where that is known.
    """
    if _settings.quiet:
        yield
        return
    spinner = _stderr().status if sys.stderr.isatty() else None
    with progress.shown(Running(plain.line(title), seconds), say, spinner) as here:
        yield
    say(f"{here.title}: {here.elapsed:.1f} s")


def tick(text: str) -> None:
    """What the current step does now, as "answers 12/64": its spinner says it, or a line with --verbose."""
    running = progress.tell(plain.line(text))
    if not running or not sys.stderr.isatty():
        detail(f"  {text}")


def out(text: str = "") -> None:
    """One line of result, to stdout, folded between words on a terminal; nothing in --json mode."""
    if not _settings.json:
        line, width = plain.line(text), _width()
        indent = line[: len(line) - len(line.lstrip())]
        _write((columns_.pair(indent, line[len(indent) :], width) if len(line) > width else line) + "\n")


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

    console = Console(file=sys.stdout, markup=False, emoji=False, highlight=False)
    if not sys.stdout.isatty():  # a pipe or a log has no width: do not fold at 80 columns
        console.width = 160
    if title:
        console.print(plain.line(title), style="bold", soft_wrap=True)
    shown = columns_.table(columns, rows, right, console.width)
    console.print(shown or columns_.listed(columns, rows, console.width), soft_wrap=shown is None)


def pairs(rows: Sequence[tuple[str, ...]]) -> None:
    """Results beside their names, to stdout; what is too long for a terminal folds between words."""
    for name, value in rows:
        page(columns_.pair(f"  {plain.line(name):<18}", plain.line(value), _width()))


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
    err.print(plain.line(f"error: {progress.told(error.message)}"), style="bold red")
    if error.next:
        err.print(plain.line(f"  next: {error.next}"))


def _json(data: object, indent: int | None = None) -> str:
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    return json.dumps(data, indent=indent, ensure_ascii=not unicode, allow_nan=False)


def _width() -> int:
    """Columns of the terminal that stdout is; a pipe or a log has no width."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 10**6


def _write(text: str) -> None:
    """To stdout; what its encoding lacks is shown as "?" too."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


def _stderr() -> Any:
    from rich.console import Console

    return Console(file=sys.stderr, soft_wrap=True, markup=False, emoji=False, highlight=False)
