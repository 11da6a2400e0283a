"""A POSIX shell on a device, through whatever program reaches it (ssh, adb): the one thing a transport must offer.

Nothing is believed that a connection could have lost or changed: what a script prints comes between two marks that
only this call knows, and the last of them carries the exit code. The device needs `sh` and what toybox, busybox or
coreutils bring; sizes are never added up in the shell, whose integers have 32 bits on Android (mksh).
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from shlex import quote

from edgekit import tools
from edgekit.errors import BuildError, DeviceError

ANSWER_S = 30.0  # a device that needs longer for a small question hangs
PULL_S = 300.0
FULL_WORDS = ("No space left on device", "Disk quota exceeded", "Not enough space")
FREE_SPACE = (
    "free space on the device (edgekit devices clean ADDRESS removes what edgekit kept there), then run it again"
)
AGAIN = "check the cable, the network and that the device is awake, then run the same command again"
_SETTINGS = "LC_ALL=C TZ=UTC0; export LC_ALL TZ"


@dataclass(frozen=True)
class Answer:
    """What a script printed, its exit code, and what it complained about."""

    text: str
    code: int
    stderr: str


@dataclass(frozen=True)
class Shell:
    """Scripts go to the device and answers come back.

    Attributes:
        address: as --device takes it, for messages.
        argv: the local command line that runs a script on the device.
        explain: a cause and a next step from the local program's standard error; None where it says nothing known.
    """

    address: str
    argv: Callable[[str], list[str]]
    explain: Callable[[str], DeviceError | None]

    def run(self, script: str, *, timeout: float = ANSWER_S, stdin: bytes | None = None) -> Answer:
        """Run a script to its end.

        Args:
            timeout: seconds; the local program is killed then.
            stdin: what the script reads; an end of file by default.

        Raises:
            DeviceError: not reachable, no answer in time, or an answer that is none.
        """
        mark = secrets.token_hex(8)
        try:
            done = tools.run(self.argv(framed(script, mark)), timeout=timeout, stdin=stdin or b"")
        except BuildError:
            raise DeviceError(f"{self.address} did not answer within {timeout:.0f} s", next=AGAIN) from None
        text = done.stdout.replace("\r\n", "\n")  # an old adb ends lines like a terminal
        _, begun, rest = text.partition(f"\n<{mark}\n")
        answer, ended, after = rest.rpartition(f"\n{mark}> ")
        code = after.partition("\n")[0].strip()
        if begun and ended and code.isdigit():
            return Answer(answer, int(code), done.stderr)
        raise self.lost(done.stderr, "" if begun else done.stdout)

    def must(self, script: str, doing: str, *, timeout: float = ANSWER_S, stdin: bytes | None = None) -> str:
        """What a script printed that must not fail; `doing` says in messages what it was for.

        Raises:
            DeviceError: as `run`, or the script failed: a full device, no permission, ...
        """
        answer = self.run(script, timeout=timeout, stdin=stdin)
        if answer.code:
            raise self.failed(doing, answer)
        return answer.text

    def pull(self, path: str) -> bytes | None:
        """The bytes of a file on the device, compared with its sha256 there; None where there is no such file.

        Raises:
            DeviceError: what arrived is not what was sent.
        """
        file = quote(path)
        script = f"[ -f {file} ] || exit 0; sha256sum < {file} && base64 < {file}"
        told, _, body = self.must(script, f"reading {path}", timeout=PULL_S).partition("\n")
        if not told:
            return None
        try:
            found = base64.b64decode("".join(body.split()), validate=True)
        except binascii.Error:
            found = b""
        if sha256(found).hexdigest() != told.split(" ")[0]:
            raise DeviceError(f"{self.address}: {path} arrived changed", next=AGAIN)
        return found

    @contextmanager
    def stream(self, script: str) -> Iterator[tools.Stream]:
        """Start a script whose lines are read while it runs; its standard input stays open until the block is left."""
        with tools.streaming(self.argv(f"{_SETTINGS}; {script}")) as stream:
            yield stream

    def failed(self, doing: str, answer: Answer) -> DeviceError:
        """The error of a script that ended with another code than 0."""
        said = answer.stderr.strip() or answer.text.strip()
        if any(word in answer.stderr + answer.text for word in FULL_WORDS):
            return DeviceError(f"{self.address} is full: no space left while {doing}", next=FREE_SPACE)
        last = said.splitlines()[-1][:200] if said else "it said nothing"
        return DeviceError(f"{self.address}: {doing} failed (exit {answer.code}): {last}", next="look with --verbose")

    def lost(self, stderr: str, garbage: str = "") -> DeviceError:
        """The error of a connection that ended before the answer did."""
        known = self.explain(stderr)
        if known is not None:
            return known
        if garbage.strip():
            shown = "".join(one if one.isprintable() else "?" for one in garbage.strip()[:80])
            return DeviceError(
                f"{self.address} answered with what is no shell's answer: {shown!r}",
                next="log in by hand and see that commands run there without a menu or a prompt",
            )
        said = stderr.strip().splitlines()
        why = f" ({said[-1][:200]})" if said else ""
        return DeviceError(f"the connection to {self.address} was lost{why}", next=AGAIN)


def framed(script: str, mark: str) -> str:
    """A script whose output stands between two lines that nothing else prints; the second has its exit code."""
    return f"{_SETTINGS}; printf '\\n<%s\\n' {mark}; (\n{script}\n); printf '\\n%s> %s\\n' {mark} $?"
