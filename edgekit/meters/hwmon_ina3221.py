"""INA3221 power monitors through hwmon, as on NVIDIA's Jetson boards: volts times amperes.

Sources: Linux, Documentation/hwmon/ina3221.rst (in[1-3]_input in mV, curr[1-3]_input in mA, in[1-3]_label); rail names:
the Jetson developer guides' power pages. A rail that feeds the whole module is taken alone, else all of them are added.
"""

from __future__ import annotations

import functools

from edgekit.meters._power import Count, Energy, Meter, Missing, Polled, add, integrate, not_measured
from edgekit.reading import Reader, Reading

NAME = "INA3221 (hwmon)"
WHOLE = ("VDD_IN", "POM_5V_IN", "VDD_5V_IN", "5V_IN")
UNUSED = ("NC", "sum of shunt voltages", "")
LEAST_S = 10.0
PERIOD_S = 0.5


def found(reader: Reader) -> Meter | Missing:
    """The meter of the board's rails."""
    rails: dict[str, tuple[str, str]] = {}
    refused = ""
    for path in reader.find("/sys/class/hwmon/hwmon*/name"):
        folder = path.rpartition("/")[0]
        try:
            if not reader.text(path).startswith("ina3221"):
                continue
            for channel in (1, 2, 3):
                label = _label(reader, f"{folder}/in{channel}_label")
                volts, amperes = f"{folder}/in{channel}_input", f"{folder}/curr{channel}_input"
                if label not in UNUSED:
                    reader.text(volts)
                    reader.text(amperes)
                    rails[label] = volts, amperes
        except FileNotFoundError:
            continue  # a channel that is switched off has no input
        except PermissionError:
            refused = folder
    whole = next((name for name in WHOLE if name in rails), None)
    chosen = {whole: rails[whole]} if whole else rails
    if not chosen and refused:
        return Missing(
            "the INA3221's files may not be read", f"sudo chmod a+r {refused}/*_input   (until the next boot)"
        )
    if not chosen:
        return Missing("there is no INA3221 power monitor (Jetson boards have one)")
    scope = f"the module ({whole})" if whole else f"the sum of {', '.join(chosen)}"
    sources = [path for pair in chosen.values() for path in pair]
    evaluate = functools.partial(_add_up, names=tuple(chosen), scope=scope)
    return Polled(NAME, scope, "C", LEAST_S, reader, sources, PERIOD_S, evaluate)


def _add_up(readings: list[Reading], *, names: tuple[str, ...], scope: str) -> Energy:
    base = Energy(NAME, scope, "C", None, readings[-1].at_s - readings[0].at_s)
    counts: dict[str, Count] = {}
    for at, name in enumerate(names):
        series = [(reading.at_s, _watts(*reading.texts[2 * at : 2 * at + 2])) for reading in readings]
        one = integrate(series)
        if isinstance(one, Missing):
            return not_measured(base, f"{name}: {one.reason}", one.next)
        counts[name] = one
    whole = add(counts.values())
    parts = {name: one.joules for name, one in counts.items()}
    return Energy(NAME, scope, "C", whole.joules, whole.seconds, whole.samples, parts)


def _watts(millivolts: str | None, milliamperes: str | None) -> float | None:
    try:
        return int(millivolts or "") * int(milliamperes or "") * 1e-6
    except ValueError:
        return None


def _label(reader: Reader, path: str) -> str:
    try:
        return reader.text(path)
    except FileNotFoundError:
        return ""
