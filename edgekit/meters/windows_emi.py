"""Windows' Energy Meter Interface, through its performance counters ("Energy Meter", Windows 10 1809 and later).

Sources: learn.microsoft.com, "Energy Metering Interface" (energy in picowatt-hours) and `typeperf /?`. One counter is
one channel: RAPL_Package0_PKG and its parts on Intel and AMD, rails on boards that have meters. Counters' names are
translated, so this asks on an English Windows only.
"""

from __future__ import annotations

import csv
import functools
import io
import itertools
import re

from edgekit.errors import EdgekitError
from edgekit.meters._power import Count, Energy, Meter, Missing, Polled, add, count, not_measured
from edgekit.reading import Reader, Reading

NAME = "Windows EMI"
COMMAND = ("typeperf", r"\Energy Meter(*)\Energy", "-sc", "1")
JOULES = 3.6e-9  # of a picowatt-hour
LEAST_S = 10.0
PERIOD_S = 5.0  # typeperf takes a second to answer
_CHANNEL = re.compile(r"\\Energy Meter\((.+)\)\\Energy$", re.IGNORECASE)
_PACKAGE = re.compile(r"RAPL_Package\d+_(PKG|DRAM)", re.IGNORECASE)
_WHOLE = ("SYS", "SYSTEM", "PSU_USB")


def found(reader: Reader) -> Meter | Missing:
    """The meter of a Windows machine."""
    try:
        channels = parse(reader.run(*COMMAND))
    except FileNotFoundError:
        return Missing("this is no Windows (it has no typeperf)")
    except (PermissionError, EdgekitError) as error:
        return Missing(f"typeperf does not answer: {error}")
    chosen = _chosen(list(channels))
    if not chosen:
        return Missing(
            "this Windows has no energy meter (or its counters have another language's names)",
            "list them: typeperf -qx | findstr Energy",
        )
    scope = f"the sum of {', '.join(chosen)}"
    evaluate = functools.partial(_add_up, names=chosen, scope=scope)
    return Polled(NAME, scope, "B", LEAST_S, reader, [COMMAND], PERIOD_S, evaluate)


def parse(text: str) -> dict[str, float]:
    """Counts by channel of typeperf's CSV: a header of counter paths, a line of values; other lines are talk."""
    rows = [row for row in csv.reader(io.StringIO(text)) if len(row) > 1]
    for header, values in itertools.pairwise(rows):
        if header[0].startswith("(PDH-CSV"):
            names = (_CHANNEL.search(path) for path in header[1:])
            pairs = zip(names, values[1:], strict=False)
            return {name[1]: float(value) for name, value in pairs if name and value.strip()}
    return {}


def _chosen(channels: list[str]) -> tuple[str, ...]:
    """The whole system's channel, or the packages and their memory, or every channel; never a total and its parts."""
    whole = [name for name in channels if name.upper() in _WHOLE]
    packages = [name for name in channels if _PACKAGE.fullmatch(name)]
    rest = [name for name in channels if name.lower() != "_total" and not name.upper().startswith("RAPL_")]
    return tuple(whole[:1] or packages or rest)


def _add_up(readings: list[Reading], *, names: tuple[str, ...], scope: str) -> Energy:
    base = Energy(NAME, scope, "B", None, readings[-1].at_s - readings[0].at_s)
    told = [parse(reading.texts[0] or "") for reading in readings]
    counts: dict[str, Count] = {}
    for name in names:
        series = [(reading.at_s, values.get(name)) for reading, values in zip(readings, told, strict=True)]
        one = count(series, unit_j=JOULES, wraps_at=None)
        if isinstance(one, Missing):
            return not_measured(base, f"{name}: {one.reason}", one.next)
        counts[name] = one
    whole = add(counts.values())
    parts = {name: one.joules for name, one in counts.items()}
    return Energy(NAME, scope, "B", whole.joules, whole.seconds, whole.samples, parts)
