"""Run one program on a device in a fresh process that cannot outlive its time or its connection.

The device watches for itself: a process beside the program reads the connection's end of input, with a time limit. At
the end of input (the connection was cut: a dropped adb connection alone kills nothing) or of the time it kills the
program and its children. The program's standard output is the connection's: JSON lines of events.

$EDGEKIT_RUN_WITH, in the device's own environment, is put before the program: "taskset f0" for its large cores, say.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from shlex import join, quote
from typing import Any

from edgekit.devices._shell import Shell
from edgekit.errors import DeviceError

GRACE_S = 20.0  # after its time limit a device has this long to say so, then it counts as gone
Event = dict[str, Any]

# `timeout` ends with 124 (coreutils) or 143 (toybox, busybox) when the time is up; toybox's may end with 127 when its
# program ends at once.
_SCRIPT = """
cd {job} && rm -f why || exit 1
exec 3<&0
command -v setsid > /dev/null && own=setsid || own=
command -v timeout > /dev/null && limit="timeout {seconds}" || limit=
{env} $own $EDGEKIT_RUN_WITH {command} < /dev/null 2> log.txt 3<&- &
pid=$!
echo $pid > pid
{{
  $limit cat <&3 > /dev/null
  case $? in 124 | 143) echo late > why ;; *) echo gone > why ;; esac
  kill -9 "-$pid" || kill -9 -- "-$pid" || kill -9 "$pid"
}} > /dev/null 2>&1 &
watch=$!
wait $pid
code=$?
kill $watch 2> /dev/null
read -r why 2> /dev/null < why || why=itself
printf '\\n%s> %s %s\\n' {mark} $code "$why"
"""


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit code (128 + signal), and why: "itself", "late" or "gone"."""

    code: int
    why: str


def launch(
    shell: Shell,
    job: str,
    command: Sequence[str],
    env: Mapping[str, str],
    *,
    timeout: float,
    on_event: Callable[[Event], None],
) -> Ended:
    """Run a program in the folder `job` to its end; its standard error goes to job/log.txt, its id to job/pid.

    Raises:
        DeviceError: it did not end in time and was stopped, or the connection was lost.
    """
    mark = secrets.token_hex(8)
    script = _SCRIPT.format(
        job=quote(job),
        env=" ".join(f"{name}={quote(value)}" for name, value in env.items()),
        command=join(command),
        seconds=max(1, round(timeout)),
        mark=mark,
    )
    ended = None
    garbage: list[str] = []
    with shell.stream(script) as stream:
        timer = threading.Timer(timeout + GRACE_S, stream.kill)
        timer.start()
        try:
            for line in stream.lines():
                if line.startswith(f"{mark}> "):
                    ended = _ended(line)
                    break
                event = _event(line)
                if event is not None:
                    on_event(event)
                elif line.strip():
                    garbage = [*garbage, line][-5:]
        finally:
            timer.cancel()
            stream.hang_up()
        if ended is None:
            stream.ended(5)
            raise shell.lost(stream.stderr(), "\n".join(garbage))
    if ended.why == "late":
        raise DeviceError(
            f"the runtime on {shell.address} did not end within {timeout:.0f} s and was stopped there",
            next="give it more time, or see with --verbose what it was doing",
        )
    return ended


def _ended(line: str) -> Ended | None:
    words = line.split()
    return Ended(int(words[1]), words[2]) if len(words) == 3 and words[1].isdigit() else None


def _event(line: str) -> Event | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
