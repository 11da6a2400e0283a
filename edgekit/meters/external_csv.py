"""A meter beside the device whose software writes a CSV: Monsoon, Joulescope, Otii, Power Profiler Kit, ...

The file has a header line. Columns are found by their names: one of time (time, timestamp, t), and either power
(power, p) or voltage (voltage, v) and current (current, i), or current alone where the supply's voltage is given. A
unit stands in the name, as programs write it: "Time (s)", "Main Avg Power (mW)", "timestamp_ms", "current_uA"; without
one, SI units.

Times are seconds since 1970, ISO 8601, or seconds since the meter's own start, which then must be told.
"""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from edgekit.errors import UsageError
from edgekit.meters._power import Energy, Meter, Missing, integrate, long_enough, not_measured
from edgekit.reading import Reader
from edgekit.results.measurement import Grade

NAME = "external meter (CSV)"
SCOPE = "what the external meter feeds"
LEAST_S = 5.0
EPOCH = 10**9  # seconds; a smaller time is no date since 2001
_WORDS = {
    "time": ("time", "timestamp", "t"),
    "power": ("power", "p"),
    "voltage": ("voltage", "v"),
    "current": ("current", "i"),
}
_SCALE = {"n": 1e-9, "u": 1e-6, "µ": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3}
_UNIT = re.compile(r"(?:[\s_(\[]|^)([nuµmk]?)(s|w|v|a)[)\]]?$")


def found(reader: Reader) -> Meter | Missing:
    """Never by itself: nobody can know of a meter that stands beside the device."""
    return Missing("no external meter was named", "--meter csv:FILE, for the file that the meter's program writes")


@dataclass
class ExternalMeter:
    """A CSV that another program writes; see Meter.

    Attributes:
        starts_at: seconds since 1970 of the file's time 0; None where its times are dates.
        volts: of the supply, for a file without voltages.
        now: the clock that the file's dates are of.
    """

    path: Path
    starts_at: float | None = None
    volts: float | None = None
    now: Callable[[], float] = time.time
    name: str = NAME
    scope: str = SCOPE
    grade: Grade = "A"
    least_s: float = LEAST_S
    _began: float = field(default=0.0, init=False)

    def start(self) -> None:
        """See Meter.start."""
        self._began = self.now()

    def stop(self) -> Energy:
        """See Meter.stop. The file must hold the run by now."""
        return self.between(self._began, self.now())

    def between(self, began: float, ended: float) -> Energy:
        """The energy of the rows between two times (seconds since 1970).

        Raises:
            UsageError: the file cannot be read, or its columns are not known.
        """
        base = Energy(NAME, SCOPE, "A", None, ended - began)
        rows = self._rows()
        inside = [(at, watts) for at, watts in rows if began <= at <= ended]
        if len(inside) < 2:
            return not_measured(base, *self._why_none(rows, began, ended))
        whole = integrate(inside)
        if isinstance(whole, Missing):
            return not_measured(base, whole.reason, whole.next)
        invalid = []
        step = whole.seconds / (len(inside) - 1)
        if whole.seconds < (ended - began) - 2 * step - 0.1:
            invalid.append(f"the file holds {whole.seconds:.1f} s of a run of {ended - began:.1f} s")
        energy = Energy(NAME, SCOPE, "A", whole.joules, whole.seconds, whole.samples, {}, tuple(invalid))
        return long_enough(energy, LEAST_S)

    def _why_none(self, rows: Sequence[tuple[float, float]], began: float, ended: float) -> tuple[str, str]:
        if not rows:
            return f"{self.path.name} has no rows yet", "let the meter's program write the file before the run ends"
        if rows[0][0] < EPOCH and self.starts_at is None:
            return (
                f"the times of {self.path.name} are no dates",
                "tell when they begin: --meter csv:FILE@2026-11-24T10:00:00",
            )
        apart = max(rows[0][0] - ended, began - rows[-1][0])
        return (
            f"{self.path.name} holds another time than the run, {apart:.0f} s away",
            "set the clocks of both machines",
        )

    def _rows(self) -> list[tuple[float, float]]:
        try:
            with self.path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
                return self._read(csv.reader(stream))
        except OSError as error:
            raise UsageError(
                f"{self.path} cannot be read: {error.strerror}", next="give the meter's CSV file"
            ) from None

    def _read(self, lines: Iterable[list[str]]) -> list[tuple[float, float]]:
        columns: dict[str, tuple[int, float]] = {}
        found = []
        for row in lines:
            if not columns:
                columns = _columns(row, self.volts is not None)
            elif watts := self._row(row, columns):
                found.append(watts)
        if not columns:
            raise UsageError(
                f"{self.path.name} has no columns of time and power (or voltage and current)",
                next="name them in its first line: time (s), power (W)",
            )
        return found

    def _row(self, row: Sequence[str], columns: dict[str, tuple[int, float]]) -> tuple[float, float] | None:
        """Seconds since 1970 and watts of one line; None for a line that is cut off or a comment."""
        try:
            values = {name: float(row[at]) * scale for name, (at, scale) in columns.items() if name != "time"}
            at, scale = columns["time"]
            when = _when(row[at], scale) + (self.starts_at or 0.0)
        except (ValueError, IndexError):
            return None
        volts = values.get("voltage", self.volts or 0.0)
        return when, values["power"] if "power" in values else volts * values["current"]


def _columns(header: Sequence[str], volts_known: bool) -> dict[str, tuple[int, float]]:
    """Index and scale of the columns of a header; empty for a line that is none."""
    found: dict[str, tuple[int, float]] = {}
    for at, title in enumerate(header):
        text = title.strip().lstrip("#").lower()
        unit = _UNIT.search(text)
        words = re.findall(r"[a-z]+", text[: unit.start()] if unit else text) or ([unit[2]] if unit else [])
        for kind, known in _WORDS.items():
            if kind not in found and any(word in known for word in words):
                found[kind] = at, _SCALE[unit[1]] if unit else 1.0
    enough = "time" in found and ("power" in found or ("current" in found and ("voltage" in found or volts_known)))
    return found if enough else {}


def _when(text: str, scale: float) -> float:
    try:
        return float(text) * scale
    except ValueError:
        return datetime.fromisoformat(text.strip()).timestamp()
