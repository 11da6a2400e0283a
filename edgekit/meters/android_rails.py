"""Android's on-device power rails (ODPM, Pixel 6 and later), by perfetto's data source android.power.

Source: perfetto.dev, "Battery counters and power rails": each rail is a counter of microwatt-seconds that only grows.
The trace runs beside the measurement and is read at its end; adb's shell user may do all of it. Energy is the sum of
all rails, and by rail in `parts`.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import time
from dataclasses import dataclass

from edgekit.errors import EdgekitError
from edgekit.meters._power import Count, Energy, Meter, Missing, add, count, long_enough, not_measured
from edgekit.meters._trace import Rails, rails
from edgekit.reading import Reader
from edgekit.results.measurement import Grade

NAME = "Android power rails (perfetto)"
SCOPE = "the sum of the power rails"
LEAST_S = 30.0
PERIOD_MS = 500
LONGEST_MS = 4 * 3600 * 1000  # perfetto stops by itself then, should nobody do so
FOLDER = "/data/misc/perfetto-traces"  # the only one that adb's shell may have traces written to
ENDING_S = 20.0
_CONFIG = """buffers {{ size_kb: 4096 fill_policy: RING_BUFFER }}
data_sources {{
  config {{
    name: "android.power"
    android_power_config {{ battery_poll_ms: {period} collect_power_rails: true }}
  }}
}}
duration_ms: {longest}
write_into_file: true
file_write_period_ms: 2500
"""


def found(reader: Reader) -> Meter | Missing:
    """The meter of a phone with rails: a short trace shows whether it has them."""
    try:
        path = _begin(reader, 1000)
        time.sleep(1.5)
        there = _end(reader, path)
    except FileNotFoundError:
        return Missing("this is no Android device (it has no perfetto)")
    except PermissionError as error:
        return Missing(f"perfetto may not be used by this user: {error}", "use adb's shell user")
    except (EdgekitError, ValueError) as error:
        return Missing(
            f"perfetto gives no trace: {error}", "switch tracing on: adb shell setprop persist.traced.enable 1"
        )
    if not there.counts:
        return Missing("the phone has no power rails that Android shows (the Pixel 6 and later have)")
    return PowerRails(reader)


@dataclass
class PowerRails:
    """A trace of the rails; see Meter."""

    reader: Reader
    name: str = NAME
    scope: str = SCOPE
    grade: Grade = "B"
    least_s: float = LEAST_S
    _path: tuple[str, str] | None = None

    def start(self) -> None:
        """See Meter.start."""
        self._path = _begin(self.reader, LONGEST_MS)

    def stop(self) -> Energy:
        """See Meter.stop."""
        assert self._path is not None, "stop without start"
        base = Energy(NAME, SCOPE, "B", None, 0.0)
        try:
            there = _end(self.reader, self._path)
        except (OSError, ValueError) as error:
            return not_measured(base, f"the trace of the rails cannot be read: {error}")
        return long_enough(add_up(there), LEAST_S)


def add_up(there: Rails) -> Energy:
    """The energy of a trace's rails, from their first to their last count."""
    base = Energy(NAME, SCOPE, "B", None, 0.0)
    if not there.counts:
        return not_measured(base, "the trace holds no power rails")
    last = max(series[-1][0] for series in there.counts.values())
    counts: dict[str, Count] = {}
    for index, series in sorted(there.counts.items()):
        name = there.names.get(index, f"rail {index}")
        ended = series[-1][0] < last - 3 * PERIOD_MS
        points: list[tuple[float, float | None]] = [(at_ms / 1000, float(energy)) for at_ms, energy in series]
        one = count([*points, (last / 1000, None)] if ended else points, unit_j=1e-6, wraps_at=None)
        if isinstance(one, Missing):
            return not_measured(base, f"{name}: {one.reason}", one.next)
        counts[name] = one
    whole = add(counts.values())
    parts = {name: one.joules for name, one in counts.items()}
    return Energy(NAME, SCOPE, "B", whole.joules, whole.seconds, whole.samples, parts)


def _begin(reader: Reader, longest_ms: int) -> tuple[str, str]:
    """Start a trace in the background; returns its file and perfetto's process id."""
    path = f"{FOLDER}/edgekit-{secrets.token_hex(4)}.pftrace"
    config = _CONFIG.format(period=PERIOD_MS, longest=longest_ms)
    said = reader.run("perfetto", "--background", "--txt", "-c", "-", "-o", path, stdin=config)
    pid = re.search(r"^\s*(\d+)\s*$", said, re.MULTILINE)
    if pid is None:
        raise ValueError(f"it did not start ({said.strip()[:200]})")
    return path, pid[1]


def _end(reader: Reader, trace: tuple[str, str]) -> Rails:
    """Stop a trace, wait until it is written, and take it away."""
    path, pid = trace
    reader.run("kill", "-TERM", pid)
    limit = time.monotonic() + ENDING_S
    while reader.find(f"/proc/{pid}/comm") and time.monotonic() < limit:
        time.sleep(0.2)
    try:
        text = reader.run("base64", path)
    finally:
        reader.run("rm", "-f", path)
    try:
        return rails(base64.b64decode("".join(text.split()), validate=True))
    except binascii.Error:
        raise ValueError("the trace arrived changed") from None
