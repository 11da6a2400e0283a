"""The Raspberry Pi 5's power chip, by `vcgencmd pmic_read_adc`: volts times amperes of each rail, and a fit.

The chip measures its outputs, not the 5 V input: what it loses itself, and what USB and fans take, is not among them. A
fit by owners with external meters (github.com/jfikar/RPi5-power: input = 1.1451 x sum + 0.5879 W) makes up for the
former; with it the figure has grade C.
"""

from __future__ import annotations

import re

from edgekit.errors import EdgekitError
from edgekit.meters._power import Energy, Meter, Missing, Polled, integrate, not_measured
from edgekit.reading import Reader, Reading

NAME = "Raspberry Pi 5 PMIC (vcgencmd)"
SCOPE = "the board without USB devices (fitted from its rails)"
COMMAND = ("vcgencmd", "pmic_read_adc")
ALLOW = "sudo usermod -aG video $USER, then log in anew"
SLOPE, OFFSET_W = 1.1451, 0.5879
LEAST_S = 10.0
PERIOD_S = 1.0  # vcgencmd is a process of a few milliseconds
_LINE = re.compile(r"^\s*(\S+)_([AV])\s+(?:current|volt)\(\d+\)=(-?[\d.]+)[AV]\s*$", re.MULTILINE)


def found(reader: Reader) -> Meter | Missing:
    """The meter of a Raspberry Pi 5."""
    try:
        text = reader.run(*COMMAND)
    except FileNotFoundError:
        return Missing("there is no vcgencmd (only Raspberry Pi OS has it)")
    except PermissionError:
        return Missing("this user may not ask the firmware", ALLOW)
    except EdgekitError as error:
        return Missing(f"vcgencmd does not answer: {error.message}", error.next)
    if not text.strip() or "VCHI initialization failed" in text or "Can't open device file" in text:
        return Missing("this user may not ask the firmware", ALLOW)
    if not rails(text):
        return Missing("the firmware tells no rail currents (only the Raspberry Pi 5 has such a power chip)")
    return Polled(NAME, SCOPE, "C", LEAST_S, reader, [COMMAND], PERIOD_S, _add_up)


def rails(text: str) -> dict[str, float]:
    """Watts by rail: those that tell both volts and amperes (the 5 V input tells volts only)."""
    found: dict[str, dict[str, float]] = {}
    for name, unit, value in _LINE.findall(text):
        found.setdefault(name, {})[unit] = float(value)
    return {name: values["V"] * values["A"] for name, values in found.items() if len(values) == 2}


def _add_up(readings: list[Reading]) -> Energy:
    base = Energy(NAME, SCOPE, "C", None, readings[-1].at_s - readings[0].at_s)
    whole = integrate([(reading.at_s, _watts(reading.texts[0])) for reading in readings])
    if isinstance(whole, Missing):
        return not_measured(base, whole.reason, whole.next)
    return Energy(NAME, SCOPE, "C", whole.joules, whole.seconds, whole.samples)


def _watts(text: str | None) -> float | None:
    by_rail = rails(text or "")
    return SLOPE * sum(by_rail.values()) + OFFSET_W if by_rail else None
