"""One check at a time on a device: a lock here by address, and a lock folder there with its owner and its age.

The lock on the device is a folder, BASE/lock, with one line: owner, taken, good until (seconds of the device's clock).
Every step of a session moves its end on by LEASE_S. It is stale, and taken over, when

- its end is past and nothing that was started under it runs any more, or
- its owner is this same client at this same address: the lock here proves that that session has died, or
- it has no line and is older than WRITING_S: whoever made it died between two steps.
"""

from __future__ import annotations

import getpass
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from shlex import quote

from filelock import FileLock, Timeout

from edgekit import cache, console
from edgekit.data import digest
from edgekit.devices._shell import Shell
from edgekit.errors import DeviceError

LEASE_S = 180  # longer than any single step without news: the hash of a large file, a piece over a slow line
WRITING_S = 30
LONGEST_S = 7200  # an end further away was written by a clock that has since gone back
BUSY, LOST = 75, 76

# Prints the job processes that still run, and kills them when $1 is "kill". A process id may have been used again, so
# its command line must name this folder.
JOBS = """
running() {
  for file in "$base"/jobs/*/pid; do
    [ -f "$file" ] || continue
    read -r pid < "$file" || continue
    grep -qF -- "$base/jobs/" "/proc/$pid/cmdline" 2>/dev/null || continue
    echo "$pid"
    [ "$1" = kill ] && { kill -9 "-$pid" || kill -9 -- "-$pid" || kill -9 "$pid"; } 2>/dev/null
  done
  return 0
}
"""

_TAKE = """
mkdir -p "$base" || exit 1
now=$(date +%s)
try=0
while ! mkdir "$base/lock" 2>/dev/null; do
  [ -d "$base/lock" ] || { mkdir "$base/lock"; exit 1; }
  owner=; since=$now; until=0
  read -r owner since until 2>/dev/null < "$base/lock/held"
  stale=
  if [ -z "$owner" ]; then
    made=$(stat -c %Y "$base/lock" 2>/dev/null)
    [ $((now - ${made:-0})) -gt WRITING ] && stale=1
  elif [ "$owner" = "$me" ]; then
    stale=1
  elif [ "$now" -gt "$until" ] || [ $((until - now)) -gt LONGEST ]; then
    [ -z "$(running)" ] && stale=1
  fi
  try=$((try + 1))
  if [ -z "$stale" ] || [ $try -gt 5 ]; then
    echo "$((now - since)) $((until - now)) $owner"
    exit BUSY
  fi
  mv "$base/lock" "$base/lock.$nonce" 2>/dev/null && rm -rf "$base/lock.$nonce" && echo "stale $owner"
done
printf '%s %s %s\\n' "$me" "$now" $((now + LEASE)) > "$base/lock/held" || { rm -rf "$base/lock"; exit 1; }
running kill > /dev/null
rm -rf "$base/jobs"
exit 0
"""


class Held:
    """The device's lock, held.

    Attributes:
        renew: a line for the head of every script of the session: it moves the lock's end on, or ends the script
            with LOST where another client has taken the lock over.
    """

    def __init__(self, shell: Shell, base: str, owner: str) -> None:
        self._shell, self._base, self._owner = shell, base, owner
        held, aside = quote(f"{base}/lock/held"), quote(f"{base}/lock/aside")
        self.renew = (  # written aside: a full device must not empty the line
            f'o=; read -r o t u < {held} 2>/dev/null; [ "$o" = {quote(owner)} ] || exit {LOST}; '
            f'printf \'%s %s %s\\n\' "$o" "$t" $(($(date +%s) + {LEASE_S})) 2>/dev/null > {aside} '
            f"&& mv -f {aside} {held}"
        )

    def must(self, script: str, doing: str, *, timeout: float = 30.0, stdin: bytes | None = None) -> str:
        """Shell.must, which also moves the lock's end on.

        Raises:
            DeviceError: as Shell.must, or the lock was lost to another client.
        """
        answer = self._shell.run(f"{self.renew}\n{script}", timeout=timeout, stdin=stdin)
        if answer.code == LOST:
            raise DeviceError(
                f"{self._shell.address} was taken by another check while this one was away",
                next="run it again when the other check has ended",
            )
        if answer.code:
            raise self._shell.failed(doing, answer)
        return answer.text

    def release(self) -> None:
        """End what still runs, remove the jobs and give the lock back, if it is still ours."""
        self._shell.run(
            f"base={quote(self._base)}\n{JOBS}\n{self.renew}\nrunning kill > /dev/null\n"
            'rm -rf "$base/jobs" "$base/lock"; rmdir "$base" 2> /dev/null; true'
        )


@contextmanager
def held(shell: Shell, base: str) -> Iterator[Held]:
    """Hold the lock on the device. What a dead session left running is ended, and its jobs are removed.

    Raises:
        DeviceError: another client holds it (said with its name and age), or the device cannot be written.
    """
    owner = _owner(shell.address)
    values = {"WRITING": WRITING_S, "LONGEST": LONGEST_S, "BUSY": BUSY, "LEASE": LEASE_S}
    script = _TAKE
    for word, value in values.items():
        script = script.replace(word, str(value))
    head = f"base={quote(base)} me={quote(owner)} nonce={secrets.token_hex(4)}\n{JOBS}"
    answer = shell.run(head + script)
    if answer.code == BUSY:
        raise _busy(shell.address, answer.text)
    if answer.code:
        raise shell.failed(f"writing to {base}", answer)
    for line in answer.text.splitlines():
        if line.startswith("stale"):
            console.detail(f"  took over the stale lock of {line.removeprefix('stale').strip() or 'nobody'}")
    lock = Held(shell, base, owner)
    try:
        yield lock
    finally:
        _quietly_release(lock)


@contextmanager
def held_here(address: str) -> Iterator[None]:
    """Hold the lock on this machine for one address; a process that dies loses it.

    Raises:
        DeviceError: another process of this machine checks the same device.
    """
    folder = cache.root() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{digest(address)[:16]}.lock")
    try:
        lock.acquire(timeout=0.1)
    except Timeout:
        raise DeviceError(
            f"another check is running on {address}", next="wait for its end: two would measure each other"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _busy(address: str, told: str) -> DeviceError:
    since, until, owner = (*told.strip().split(" ", 2), "", "", "")[:3]
    return DeviceError(
        f"{address} is in use by {owner or 'another client'} since {since} s",
        next=f"wait for its end; a lock whose owner died is taken over in {max(0, int(until or 0))} s at the latest",
    )


def _quietly_release(lock: Held) -> None:
    """A device that has gone cannot be cleaned: the next session does it, and the error under way matters more."""
    try:
        lock.release()
    except DeviceError as error:
        console.detail(f"  the device was not cleaned: {error.message}")


def _owner(address: str) -> str:
    """USER@MACHINE-ID: the same for two sessions of one cache and one address, which the lock here keeps apart."""
    path = cache.root() / "locks" / "client"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(secrets.token_hex(8))
    except FileExistsError:
        pass
    name = f"{_user()}@{socket.gethostname()}-{digest([path.read_text(encoding='utf-8'), address])[:12]}"
    return "".join(letter if letter.isalnum() or letter in "@-._" else "_" for letter in name)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a passwd entry
        return "user"
