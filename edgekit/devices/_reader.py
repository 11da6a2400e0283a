"""A device's files and programs through its shell: edgekit.reading's Reader for meters.

A poll is one script that stays on the device and prints its readings as it takes them: no new process for a file of one
or a few lines, one `timeout` and one `cat` a period, which wait on the connection and so end with it.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from shlex import join, quote

from edgekit import tools
from edgekit.devices._shell import AGAIN, Shell
from edgekit.errors import DeviceError
from edgekit.reading import PROGRAM_S, Poll, Reading, Source

Reached = Callable[[], AbstractContextManager[Shell]]
FIRST_S = 30.0
_REFUSED = ("permission denied", "permission denial", "not permitted")


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
        if answer.code and any(word in (answer.stderr + answer.text).lower() for word in _REFUSED):
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
