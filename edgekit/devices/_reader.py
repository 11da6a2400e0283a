"""The files and programs of this machine, and of a device through its shell: edgekit.reading's Readers for meters.

A device's poll is one script that stays there and prints its readings as it takes them: no new process for a file of
one or a few lines, one `timeout` and one `cat` a period, which wait on the connection and so end with it.
"""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from shlex import join, quote

from edgekit import tools
from edgekit.devices._shell import AGAIN, Shell
from edgekit.errors import DeviceError, EdgekitError
from edgekit.reading import PROGRAM_S, Poll, Reading, Source

Reached = Callable[[], AbstractContextManager[Shell]]
FIRST_S = 30.0
_REFUSED = ("permission denied", "permission denial", "not permitted")


class LocalReader:
    """This machine.

    Args:
        root: the folder that stands for "/": a recorded tree in tests.
        path: where programs are looked for, as $PATH.
    """

    def __init__(self, root: Path = Path("/"), path: str | None = None) -> None:
        self._root, self._path = root, path

    def text(self, path: str) -> str:
        """See Reader.text."""
        return self._at(path).read_text(encoding="utf-8", errors="replace").strip().strip("\0")

    def find(self, pattern: str) -> list[str]:
        """See Reader.find."""
        return sorted(f"/{path.relative_to(self._root).as_posix()}" for path in self._root.glob(pattern.lstrip("/")))

    def run(self, *argv: str, stdin: str = "") -> str:
        """See Reader.run."""
        program = shutil.which(argv[0], path=self._path)
        if program is None:
            raise FileNotFoundError(argv[0])
        done = tools.run([program, *argv[1:]], timeout=PROGRAM_S, stdin=stdin.encode() if stdin else None)
        if done.returncode and _refused(done.stderr + done.stdout):
            raise PermissionError(f"{argv[0]}: {(done.stderr or done.stdout).strip()[:200]}")
        return done.stdout

    def poll(self, sources: Sequence[Source], period_s: float) -> Poll:
        """See Reader.poll."""
        return _LocalPoll(self, sources, period_s)

    def _at(self, path: str) -> Path:
        return self._root / path.lstrip("/")


class _LocalPoll:
    """A thread that reads; sysfs files take microseconds."""

    def __init__(self, reader: LocalReader, sources: Sequence[Source], period_s: float) -> None:
        self._reader, self._sources, self._period = reader, sources, period_s
        self._found = [self._read()]
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()

    def stop(self) -> list[Reading]:
        """See Poll.stop."""
        self._enough.set()
        self._thread.join()
        return [*self._found, self._read()]

    def _go_on(self) -> None:
        while not self._enough.wait(self._period):
            self._found.append(self._read())

    def _read(self) -> Reading:
        before = time.monotonic()
        texts = tuple(self._one(source) for source in self._sources)
        return Reading((before + time.monotonic()) / 2, texts)

    def _one(self, source: Source) -> str | None:
        try:
            return self._reader.text(source) if isinstance(source, str) else self._reader.run(*source)
        except (OSError, EdgekitError):  # what it means that a source has gone is the meter's to say
            return None


class DeviceReader:
    """See Reader; `reached` opens the line, or gives the one of the session that is open."""

    def __init__(self, reached: Reached) -> None:
        self._reached = reached

    def text(self, path: str) -> str:
        """See Reader.text."""
        with self._reached() as shell:
            answer = shell.run(f"[ -e {quote(path)} ] || exit 44\ncat {quote(path)}")
        if answer.code == 44:
            raise FileNotFoundError(path)
        if answer.code:
            raise PermissionError(f"{path}: {answer.stderr.strip()[:200]}")
        return answer.text.strip().strip("\0")

    def find(self, pattern: str) -> list[str]:
        """See Reader.find. The pattern has no spaces."""
        with self._reached() as shell:
            found = shell.run(f'for f in {pattern}; do [ -e "$f" ] && echo "$f"; done; true').text
        return sorted(line for line in found.splitlines() if line)

    def run(self, *argv: str, stdin: str = "") -> str:
        """See Reader.run."""
        with self._reached() as shell:
            script = f"command -v {quote(argv[0])} > /dev/null || exit 44\n{join(argv)}"
            answer = shell.run(script, timeout=PROGRAM_S, stdin=stdin.encode())
        if answer.code == 44:
            raise FileNotFoundError(argv[0])
        if answer.code and _refused(answer.stderr + answer.text):
            raise PermissionError(f"{argv[0]}: {(answer.stderr or answer.text).strip()[:200]}")
        return answer.text

    def poll(self, sources: Sequence[Source], period_s: float) -> Poll:
        """See Reader.poll; a device's period is a whole number of seconds."""
        return _DevicePoll(self._reached, sources, max(1, round(period_s)))


class _DevicePoll:
    def __init__(self, reached: Reached, sources: Sequence[Source], period_s: int) -> None:
        self._mark, self._count = secrets.token_hex(6), len(sources)
        self._lines: list[str] = []
        self._first, self._ended = threading.Event(), threading.Event()
        with ExitStack() as stack:
            self._shell = stack.enter_context(reached())
            self._stream = stack.enter_context(self._shell.stream(_script(sources, period_s, self._mark)))
            self._stack = stack.pop_all()
        self._thread = threading.Thread(target=self._collect, args=(self._stream,), daemon=True)
        self._thread.start()
        if not self._first.wait(FIRST_S) or (self._ended.is_set() and not self._readings()):
            error = self._shell.lost(self._stream.stderr())
            self._stack.close()
            raise error

    def stop(self) -> list[Reading]:
        """See Poll.stop."""
        self._stream.hang_up()
        ended = self._ended.wait(FIRST_S)
        lost = self._shell.lost(self._stream.stderr())
        self._stack.close()
        self._thread.join()
        found = self._readings()
        if not ended or not self._lines or self._lines[-1] != f"{self._mark} end":
            raise DeviceError(f"{lost.message}, while a meter was read", next=lost.next or AGAIN)
        return found

    def _collect(self, stream: tools.Stream) -> None:
        for line in stream.lines():
            self._lines.append(line)
            if line == f"{self._mark} done":
                self._first.set()
        self._ended.set()
        self._first.set()

    def _readings(self) -> list[Reading]:
        """The whole readings of what has come so far."""
        found = []
        at, texts, body = 0.0, list[str | None](), list[str]()
        for line in list(self._lines):
            mark, _, rest = line.partition(" ")
            if mark != self._mark:
                body.append(line)
            elif rest.startswith("at "):
                at, texts, body = float(rest[3:] or 0), [], []
            elif rest.startswith("code "):
                texts.append("\n".join(body).strip() if rest == "code 0" else None)
                body = []
            elif rest == "done" and len(texts) == self._count:
                found.append(Reading(at, tuple(texts)))
        return found


def _script(sources: Sequence[Source], period_s: int, mark: str) -> str:
    reads = []
    for source in sources:
        what = f"show {quote(source)}" if isinstance(source, str) else f"{join(source)} 2> /dev/null < /dev/null"
        reads.append(f"  {what}; printf '\\n{mark} code %s\\n' $?")
    return f"""
exec 3<&0
command -v timeout > /dev/null || exit 1
show() {{
  [ -r "$1" ] && {{ while IFS= read -r l || [ -n "$l" ]; do printf '%s\\n' "$l"; done; }} 2> /dev/null < "$1"
}}
take() {{
  read -r up rest < /proc/uptime
  printf '\\n{mark} at %s\\n' "$up"
{chr(10).join(reads)}
  printf '{mark} done\\n'
}}
take
while :; do
  timeout {period_s} cat <&3 > /dev/null 2>&1
  case $? in 124 | 143) take ;; *) break ;; esac
done
take
printf '{mark} end\\n'
"""


def _refused(text: str) -> bool:
    return any(word in text.lower() for word in _REFUSED)
