"""RAPL: the energy counters of Intel's and AMD's CPUs, through Linux's powercap (package and memory domains).

Source: Linux, Documentation/power/powercap/powercap.rst. Counters are microjoules and wrap at max_energy_range_uj.
Since Linux 5.10 only root may read them (CVE-2020-8694).
"""

from __future__ import annotations

import functools

from edgekit.meters._power import Count, Energy, Meter, Missing, Polled, add, count, not_measured
from edgekit.reading import Reader, Reading

NAME = "RAPL (powercap)"
SCOPE = "CPU packages and memory"
ZONES = "/sys/class/powercap/intel-rapl:*/energy_uj"  # AMD's too; intel-rapl-mmio counts the same package again
ALLOW = "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj   (until the next boot)"
LEAST_S = 10.0
PERIOD_S = 1.0


def found(reader: Reader) -> Meter | Missing:
    """The meter of the machine's packages, and of their memory where it is counted."""
    zones: dict[str, tuple[str, float]] = {}
    for path in reader.find(ZONES):
        folder = path.rpartition("/")[0]
        try:
            name = reader.text(f"{folder}/name")
            if not name.startswith("package") and name != "dram":
                continue  # core and uncore are parts of the package; psys is another meter of the same
            reader.text(path)
            title = f"{name} ({folder.rpartition('/')[2]})"
            zones[path] = title, float(reader.text(f"{folder}/max_energy_range_uj"))
        except PermissionError:
            return Missing("only root may read the RAPL counters", ALLOW)
        except (FileNotFoundError, ValueError):
            continue
    if not zones:
        return Missing("the CPU has no RAPL counter that Linux shows (virtual machines and ARM have none)")
    names = tuple(zones)
    ranges = tuple(zones[name][1] for name in names)
    titles = tuple(name for name, _ in zones.values())
    evaluate = functools.partial(_add_up, titles=titles, ranges=ranges)
    return Polled(NAME, SCOPE, "B", LEAST_S, reader, names, PERIOD_S, evaluate)


def _add_up(readings: list[Reading], *, titles: tuple[str, ...], ranges: tuple[float, ...]) -> Energy:
    base = Energy(NAME, SCOPE, "B", None, readings[-1].at_s - readings[0].at_s)
    counts: dict[str, Count] = {}
    for at, (title, wraps_at) in enumerate(zip(titles, ranges, strict=True)):
        series = [(reading.at_s, _number(reading.texts[at])) for reading in readings]
        one = count(series, unit_j=1e-6, wraps_at=wraps_at)
        if isinstance(one, Missing):
            return not_measured(base, f"{title}: {one.reason}", one.next or (ALLOW if "read" in one.reason else ""))
        counts[title] = one
    whole = add(counts.values())
    doubt = ("the counter may have wrapped twice between two readings",) if whole.doubt else ()
    parts = {name: one.joules for name, one in counts.items()}
    return Energy(NAME, SCOPE, "B", whole.joules, whole.seconds, whole.samples, parts, doubt)


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdigit() else None
