"""What every command shares: its options, and the one place where a failure becomes a message and an exit code.

A command raises EdgekitError, or returns an exit code (None is 0) after it has shown its result itself.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any

import click

from edgekit import console, plain, scratch, stdio
from edgekit.commands import _disk, _together
from edgekit.errors import BuildError, EdgekitError, Interrupted, UsageError, from_oserror

READER_GONE = 141
_SHARED = (
    ("--json", "json", "Print one JSON document on stdout, also for an error."),
    ("-q", "quiet", "No progress, only warnings, errors and the result."),
    ("-v", "verbose", "Every command that is run, and tracebacks."),
)


def with_shared_options(command: click.Command) -> click.Command:
    """Give a command, and the commands below it, the options --json, --quiet and --verbose."""
    taken = {word for parameter in command.params for word in parameter.opts}
    if command.callback is not None and "--verbose" not in taken:  # not seen before
        command.callback = _held(command.callback)
    for word, name, text in _SHARED:
        if f"--{name}" not in taken:
            words = [f"--{name}"] if word == f"--{name}" or word in taken else [word, f"--{name}"]
            command.params.append(
                click.Option(words, is_flag=True, is_eager=True, expose_value=False, callback=_configure, help=text)
            )
    if isinstance(command, click.Group):
        for below in command.commands.values():
            with_shared_options(below)
    return command


def _held(callback: Callable[..., Any]) -> Callable[..., Any]:
    """The same command, which begins with what its options say together."""

    @wraps(callback)
    def held(*args: Any, **words: Any) -> Any:
        _together.check(click.get_current_context())
        return callback(*args, **words)

    return held


def _configure(ctx: click.Context, option: click.Parameter, value: bool) -> None:
    """Add one option to the console's settings; ctx.meta is one dict for a group and the commands below it."""
    settings = ctx.meta.setdefault("edgekit.console", {"json": console.json_mode()})
    settings[option.name] = value or settings.get(option.name, False)
    console.configure(**settings)


def run(cli: click.Command, args: Sequence[str] | None = None) -> int:
    """Run a command line; whatever happens becomes a message (or a JSON document) and an exit code, here only."""
    from click.shell_completion import shell_complete

    words = list(sys.argv[1:] if args is None else args)
    if instruction := os.environ.get("_EDGEKIT_COMPLETE"):
        return shell_complete(cli, {}, "edgekit", "_EDGEKIT_COMPLETE", instruction)
    # Known before parsing, so that a wrong option too is reported as JSON.
    console.configure(json="--json" in (words[: words.index("--")] if "--" in words else words))
    try:
        stdio.check()
        _disk.temporary()
        with _ends_like_ctrl_c(), scratch.room(), cli.make_context("edgekit", words) as ctx:
            code = cli.invoke(ctx)
            return code if isinstance(code, int) else 0
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except (BrokenPipeError, stdio.ReaderGone):
        return _reader_gone()
    except click.exceptions.NoArgsIsHelpError as error:
        console.page(error.format_message())
        return _fail(explain(error, words), words) if console.json_mode() else error.exit_code
    except (Exception, KeyboardInterrupt) as error:
        return _fail(explain(error, words), words)


def explain(error: BaseException, words: Sequence[str] = ()) -> EdgekitError:
    """Any exception as an error with an exit code; what nobody expected is an internal bug with its log file."""
    if isinstance(error, EdgekitError):
        return error
    if isinstance(error, KeyboardInterrupt | EOFError | click.Abort):
        return Interrupted("interrupted", next="run the same command again; finished steps are kept in the cache")
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return UsageError("no command was given", next="edgekit --help lists the commands")
    if isinstance(error, click.ClickException):
        where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "edgekit"
        return UsageError(" ".join(error.format_message().split()), next=f"{where} --help shows how it is used")
    if isinstance(error, OSError):
        doing = f"running {_name(words) or 'edgekit'}"
        return _disk.full(error, doing) or _disk.refused(error) or from_oserror(error, doing)
    if isinstance(error, MemoryError):
        return BuildError("out of memory", next="close other programs, or use a machine with more memory")
    return EdgekitError(
        f"internal error: {type(error).__name__}: {' '.join(str(error).split())[:300]}",
        next=f"this is a bug in edgekit: please report it with {_log(error, words)}",
    )


def _fail(error: EdgekitError, words: Sequence[str]) -> int:
    """Show an error; a command that already printed its document has said the rest there."""
    try:
        if not console.json_mode() or console.documented() or not _documented(error, words):
            console.failure(error)
        if error.__traceback__ is not None:
            console.log("".join(traceback.format_exception(error)).rstrip())
    except (BrokenPipeError, stdio.ReaderGone):
        return _reader_gone()
    return error.exit_code


def _documented(error: EdgekitError, words: Sequence[str]) -> bool:
    """Show an error as the JSON document; False where standard output cannot be written."""
    try:
        stdio.check()
        console.document(f"edgekit.{_name(words) or 'error'}/1", None, error=error)
    except EdgekitError:
        return False
    return True


def _name(words: Sequence[str]) -> str:
    """The command of a command line, for the schema of its errors; empty where there is none."""
    from edgekit.commands import names

    return next((word for word in words if word in names()), "")


def _log(error: BaseException, words: Sequence[str]) -> str:
    """Write the traceback of a bug to a file and return its path; --verbose shows it too."""
    from edgekit import cache

    text = f"edgekit {' '.join(words)}\n\n{''.join(traceback.format_exception(error))}"
    console.log(text.rstrip())
    try:
        folder: Path = cache.root() / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
        path.write_text(plain.block(text), encoding="utf-8")
    except OSError:
        return "what --verbose prints"
    return str(path)


@contextmanager
def _ends_like_ctrl_c() -> Iterator[None]:
    """SIGTERM and a closed terminal raise KeyboardInterrupt, so that children and half-made files are cleaned up."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    changed = []
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup's choice stands
            signal.signal(number, interrupt)
            changed.append(number)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)


def _reader_gone() -> int:
    """Whoever read our output stopped (`| head`): say nothing more, not even when Python flushes at its end.

    The exit code is what a shell says of a tool that SIGPIPE ended.
    """
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(null, stream)
    return READER_GONE
