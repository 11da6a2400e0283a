"""The only door to subprocess: find(), run(), streaming() and job().

A job is a child process of ours (Olive, a float reference, a bundle's wrapper). Its contract: request.json in; JSON
lines of events on its standard output, which the child keeps for itself and replaces by its standard error, so that
no library's print can disturb them; outcome.json written last. A missing outcome is a failure whatever the exit code.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from edgekit import console, killed, start
from edgekit.errors import BuildError, EdgekitError, ToolMissing, UsageError, from_child

Event = dict[str, Any]
FULL = 1 << 20  # bytes; a disk with less left is full
MEMORY_WORDS = (
    "MemoryError",
    "bad_alloc",
    "Cannot allocate memory",
    "DefaultCPUAllocator: can't allocate",
    "failed to map segment from shared object",  # the loader's words for an address space that is full
)
SEE_LOG = "run it again with --verbose, which shows what it logged"
LOG = 20_000  # characters of a child's log that --verbose shows: the last
CWD = "cwd"  # a job's working folder, in the job's own: empty, so that no name is also a file there
PIPE, DEVNULL = subprocess.PIPE, subprocess.DEVNULL
_alive: set[int] = set()  # the children that run
_stopping = threading.Event()
KILLED = (-9, 137)  # exit codes of SIGKILL: the OOM killer's, or somebody else's
# Set before any engine is imported: no telemetry (OLIVE_ alone still sends a heartbeat), no colour codes in logs.
QUIET_ENGINES = {
    "CI": "1",
    "OLIVE_DISABLE_TELEMETRY": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONIOENCODING": "utf-8",
}


@dataclass(frozen=True)
class Done:
    """What a finished program left: its exit code and its decoded output."""

    returncode: int
    stdout: str
    stderr: str


def find(name: str, *, next: str) -> Path:
    """The full path of a program, or ToolMissing whose next step is the line that installs it."""
    path = shutil.which(name)
    if path is None:
        raise ToolMissing(f"{name} is not installed or not on PATH", next=next)
    return Path(path)


def run(
    argv: Sequence[str | Path],
    *,
    timeout: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
) -> Done:
    """Run a program on `stdin` to its end and return its output; killed with its children after `timeout` seconds."""
    command = [str(word) for word in argv]
    console.detail("+ " + " ".join(command))
    fed = subprocess.DEVNULL if stdin is None else PIPE
    process = launch(command, cwd, env, stdout=PIPE, stderr=PIPE, stdin=fed)
    with _killed_on_exit(process):
        try:
            stdout, stderr = process.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            raise BuildError(
                f"{Path(command[0]).name} did not end within {timeout:.0f} s",
                next="run by hand the command that --verbose shows",
            ) from None
    console.log(stderr.decode(errors="replace")[-LOG:].strip())
    return Done(process.returncode, stdout.decode(errors="replace"), stderr.decode(errors="replace"))


class Stream:
    """A program that runs: its lines as they come. Its standard input stays open, and empty, until `hang_up`."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        self._process, self._errors = process, errors

    def lines(self) -> Iterator[str]:
        """Each line of standard output without its end, until the program closes it."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            yield line.decode(errors="replace").rstrip("\r\n")

    def hang_up(self) -> None:
        """Close its standard input: the far end of a connection sees that nobody is there any more."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    def kill(self) -> None:
        """End it with its children, now."""
        kill(self._process.pid)

    def ended(self, timeout: float) -> int | None:
        """Its exit code, or None where it still runs after `timeout` seconds."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def stderr(self) -> str:
        """What it has written to standard error so far."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")


@contextmanager
def streaming(argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> Iterator[Stream]:
    """Start a program whose lines are read while it runs; it is killed with its children when the block is left."""
    command = [str(word) for word in argv]
    console.detail("+ " + " ".join(command))
    with tempfile.TemporaryFile("a+b") as errors:
        process = launch(command, None, env, stdout=PIPE, stderr=errors, stdin=PIPE)
        with _killed_on_exit(process):
            yield Stream(process, errors)


class Child(Protocol):
    """A process: subprocess.Popen, or what behaves as one (edgekit.warm)."""

    pid: int
    returncode: Any
    stdin: Any
    stdout: Any
    stderr: Any

    def wait(self) -> int: ...


# By command line, request and variables beside ours a job's process (edgekit.warm), or None: a new one is started.
Fork = Callable[[Sequence[str], Path, Mapping[str, str]], Child | None]
forking: ContextVar[Fork | None] = ContextVar("edgekit_forking", default=None)


def job(
    argv: Sequence[str | Path],
    request: Mapping[str, Any],
    folder: Path,
    *,
    timeout: float,
    what: str,
    on_event: Callable[[Event], None] = lambda event: None,
    env: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Run one of our own children by the job contract and return its outcome.

    Args:
        argv: the program; the path of request.json is appended.
        request: plain JSON, written to folder/request.json.
        folder: an existing folder of this job alone; request.json, outcome.json and log.txt go there. The child works
            in an empty folder in it, which goes with the child: paths of the request are absolute.
        timeout: seconds until the child and its whole group are killed.
        what: names the job in messages ("Olive").
        on_event: called for each event, on the calling thread's behalf, in order.

    Raises:
        EdgekitError: the one the child wrote down, or BuildError when it left no outcome.
    """
    folder = folder.absolute()
    (folder / "request.json").write_bytes(_encoded(request))
    outcome = folder / "outcome.json"
    outcome.unlink(missing_ok=True)
    command = [str(word) for word in argv] + [str(folder / "request.json")]
    console.detail("+ " + " ".join(command))
    expired, kills = threading.Event(), killed.oom_kills()
    with (folder / "log.txt").open("wb") as log, _scratch(folder / CWD):
        fork = forking.get()
        process = fork(command, folder / "request.json", env or {}) if fork is not None else None
        if process is None:
            variables = {**environment(), **QUIET_ENGINES, **(env or {})}
            process = launch(command, folder / CWD, variables, PIPE, log)
        with _killed_on_exit(process):
            timer = threading.Timer(timeout, lambda: _expire(process.pid, expired))
            timer.start()
            try:
                for event in events_of(process):
                    on_event(event)
                process.wait()
            finally:
                timer.cancel()
    console.log((folder / "log.txt").read_text(encoding="utf-8", errors="replace")[-LOG:].strip())
    if expired.is_set():
        raise BuildError(f"{what} did not end within {timeout:.0f} s and was stopped", next=SEE_LOG)
    if _stopping.is_set():
        raise KeyboardInterrupt
    return _read_outcome(outcome, process, kills, folder / "log.txt", what)


def _encoded(request: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(request, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:  # of a path: Linux takes any bytes, the engines do not
        near = str(error.object)[max(0, error.start - 40) : error.end + 40]
        raise UsageError(
            f"the engines take no path that is not UTF-8: ...{near}...",
            next="choose other folders for the model, -o, EDGEKIT_CACHE and TMPDIR",
        ) from None


def homes(folder: Path) -> dict[str, str]:
    """For a job whose libraries keep files of their own in the user's home unless told where else; none is fetched."""
    places = {"HF_HOME": str(folder), "MPLCONFIGDIR": str(folder)}
    return {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", **places}


def module(name: str, *words: str) -> list[str]:
    """The command line of a module in a child of its own, isolated: it imports from `imports()` alone.

    It needs `environment()`, which `job` gives; for `run` it is the caller's matter.
    """
    return [sys.executable, "-I", "-B", "-X", "utf8", start.__file__, name, *words]


def imports() -> list[str]:
    """The folders children import from: those of this process, but for a current folder, and edgekit's own."""
    own = str(Path(start.__file__).parents[1])  # of a checkout that is not installed, it is on no path
    return list(dict.fromkeys([*filter(os.path.isabs, sys.path), own]))


def environment() -> dict[str, str]:
    """This process's variables for a child, with where it imports from and whom it ends with."""
    return {**os.environ, start.IMPORTS: os.pathsep.join(imports()), start.PARENT: str(os.getpid())}


def _read_outcome(path: Path, process: Child, kills: Mapping[str, int], log: Path, what: str) -> dict[str, Any]:
    try:
        outcome = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        outcome = None
    if isinstance(outcome, dict) and "error" in outcome:
        raise from_child(outcome["error"])
    if isinstance(outcome, dict):
        return outcome
    if shutil.disk_usage(log.parent).free < FULL:  # the log itself could not be written
        raise disk_full(what)
    code = process.returncode
    oom = killed.by_oom_killer(process.pid, kills) if code in KILLED else None
    raise died(code, log.read_text(encoding="utf-8", errors="replace"), what, oom)


def died(returncode: int, log: str, what: str, oom: str | None = None) -> EdgekitError:
    """Why a child left no outcome: out of memory, killed, full disk, or a crash with its last line.

    Args:
        oom: what `killed.by_oom_killer` says of a killed one.
    """
    if oom or any(word in log for word in MEMORY_WORDS) or returncode in KILLED:
        exited = f"(exit {returncode}{', and not by the kernel for its memory' if oom == '' else ''})"
        why = f"ran out of memory: {oom}" if oom else f"ran out of memory or was killed {exited}"
        return BuildError(
            f"{what} {why}",
            next="close other programs, use a smaller model or recipe, or a machine with more memory",
            killed="somebody" if oom == "" else "memory",
        )
    if "No space left on device" in log:
        return disk_full(what)
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    last = lines[-1][:300] if lines else "no output"
    if (limit := killed.address_space_mb()) is not None:  # libraries that get no memory fail in ways of their own
        return BuildError(
            f"{what} ran out of memory, it seems: ulimit -v allows {limit} MB a process, and it ended with: {last}",
            next="raise the limit (ulimit -v unlimited), then run the same command again",
        )
    name = killed.signal_name(returncode)
    return BuildError(
        f"{what} stopped without a result (exit {returncode}{f', {name}' if name else ''}): {last}",
        next=f"{SEE_LOG}; if it persists, report it with that",
    )


def disk_full(what: str) -> BuildError:
    """A child could not write."""
    return BuildError(
        f"the disk is full while {what} was writing",
        next="free space, or set EDGEKIT_CACHE to a larger disk, then run the same command again",
    )


def launch(
    command: Sequence[str],
    cwd: Path | None,
    env: Mapping[str, str] | None,
    stdout: Any = PIPE,
    stderr: Any = subprocess.DEVNULL,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a program in a group of its own.

    Raises:
        ToolMissing: there is none of that name.
    """
    if _stopping.is_set():
        raise KeyboardInterrupt
    flags: dict[str, Any] = {"creationflags": 0x00000200} if os.name == "nt" else {"start_new_session": True}
    try:
        process = subprocess.Popen(command, cwd=cwd, env=env, stdin=stdin, stdout=stdout, stderr=stderr, **flags)
    except FileNotFoundError:
        raise ToolMissing(f"{command[0]} is not installed", next="install it, then run the command again") from None
    _alive.add(process.pid)
    return process


@contextmanager
def stopped() -> Iterator[None]:
    """Every child ends, and until the block is left none begins: whoever waits for one meets KeyboardInterrupt."""
    _stopping.set()
    for pid in tuple(_alive):
        kill(pid)
    try:
        yield
    finally:
        _stopping.clear()


def events_of(process: Child) -> Iterator[Event]:
    """What a child of ours says, line by line, until it closes its output."""
    for line in process.stdout:
        try:
            event = json.loads(line)
        except ValueError:
            continue  # written before the child took its stdout over: not ours
        if isinstance(event, dict):
            yield event


@contextmanager
def _killed_on_exit(process: Child) -> Iterator[None]:
    """The child's whole group dies with this block, however it is left."""
    try:
        yield
    finally:
        kill(process.pid)
        release(process)


@contextmanager
def _scratch(folder: Path) -> Iterator[None]:
    """A folder for this block alone."""
    try:
        folder.mkdir(exist_ok=True)
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def release(process: Child) -> None:
    """Let go of a process that was killed."""
    _alive.discard(process.pid)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(OSError):  # bytes that the dead program will not read
                stream.close()
    process.wait()


def _expire(pid: int, expired: threading.Event) -> None:
    expired.set()
    kill(pid)


def kill(pid: int) -> None:
    """End a process with its group; on Windows alone."""
    with suppress(OSError):  # it has ended
        if os.name == "nt":
            os.kill(pid, signal.SIGTERM)
        else:
            os.killpg(pid, signal.SIGKILL)
