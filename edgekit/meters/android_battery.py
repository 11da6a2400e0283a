"""Android's fuel gauge: `dumpsys battery` for the state, power_supply/battery for current and voltage.

Sources: AOSP, services/core/java/com/android/server/BatteryService.java (the dump; voltage in mV, temperature in tenths
of a degree, charge counter in uAh) and Linux, Documentation/ABI/testing/sysfs-class-power (current_now in uA,
voltage_now in uV). Vendors keep neither the unit nor the sign of current_now: some tell mA, some count discharging as
positive. The unit is taken from the size (a phone that computes takes more than 10 mA), the sign is not used but must
not change, and the charge counter must agree with the integral: so a wrong guess is found out.

The figure is invalid while anything charges or feeds the phone, and where updates were stopped: `dumpsys battery
unplug` only plays a state, the phone is fed all the same.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from edgekit.errors import EdgekitError
from edgekit.meters._power import Count, Energy, Meter, Missing, Polled, integrate, not_measured
from edgekit.reading import Reader, Reading, Source

NAME = "Android fuel gauge"
SCOPE = "the whole phone, by its battery"
DUMP = ("dumpsys", "battery")
SAVER = ("settings", "get", "global", "low_power")
SUPPLY = "/sys/class/power_supply/battery"
WIRELESS = "unplug it and connect over the network: adb tcpip 5555 && adb connect PHONE:5555"
LEAST_S = 600.0
LEAST_DRAIN = 0.02  # of the battery
LEVELS = (30, 80)  # per cent
AGREE = 0.10  # integral of the current against the change of the charge counter
MILLIAMPERES_BELOW = 10_000  # a smaller current_now is in mA, a larger one in uA
DISCHARGING = 3  # android.os.BatteryManager.BATTERY_STATUS_DISCHARGING
PERIOD_S = 5.0  # a dump takes some milliseconds of the CPU under test
_FED = ("AC powered", "USB powered", "Wireless powered", "Dock powered")


@dataclass(frozen=True)
class State:
    """What `dumpsys battery` tells; None for a line that is not there.

    Attributes:
        fed_by: the names of the supplies that are on ("USB powered").
        stopped: somebody has stopped the updates: nothing else here is true.
        charge_uah: the charge that is left.
    """

    fed_by: tuple[str, ...]
    stopped: bool
    status: int | None
    level: int | None
    voltage_mv: int | None
    temperature_c: float | None
    charge_uah: int | None


def found(reader: Reader) -> Meter | Missing:
    """The meter of a phone or tablet."""
    try:
        state = parse(reader.run(*DUMP))
    except FileNotFoundError:
        return Missing("this is no Android device (it has no dumpsys)")
    except PermissionError:
        return Missing("dumpsys battery may not be read by this user", "use adb's shell user, or root")
    except EdgekitError as error:
        return Missing(f"dumpsys battery does not answer: {error.message}", error.next)
    if state is None or state.level is None:
        return Missing("dumpsys battery tells of no battery")
    why = _why_no_current(reader)
    if why is not None:
        return why
    sources: list[Source] = [f"{SUPPLY}/current_now", f"{SUPPLY}/voltage_now", DUMP, SAVER]
    return Polled(NAME, SCOPE, "C", LEAST_S, reader, sources, PERIOD_S, functools.partial(_add_up, least_s=LEAST_S))


def not_ready(reader: Reader) -> list[str]:
    """Which of the conditions under which this meter counts do not hold now, in words."""
    texts = []
    for source in (DUMP, SAVER):
        try:
            texts.append(reader.run(*source))
        except (OSError, EdgekitError):
            texts.append("")
    state = parse(texts[0])
    return _conditions([state], [Reading(0.0, (None, None, *texts))]) if state is not None else []


def parse(text: str) -> State | None:
    """The state of a dump; None for a text that is none."""
    if "Battery Service state" not in text:
        return None
    fields = dict(re.findall(r"^\s*([A-Za-z ]+?): (\S+)\s*$", text, re.MULTILINE))

    def number(name: str) -> int | None:
        value = fields.get(name, "")
        return int(value) if value.lstrip("-").isdigit() else None

    tenths = number("temperature")
    return State(
        fed_by=tuple(name for name in _FED if fields.get(name) == "true"),
        stopped="UPDATES STOPPED" in text,
        status=number("status"),
        level=number("level"),
        voltage_mv=number("voltage"),
        temperature_c=tenths / 10 if tenths is not None else None,
        charge_uah=number("Charge counter"),
    )


def _why_no_current(reader: Reader) -> Missing | None:
    try:
        reader.text(f"{SUPPLY}/current_now")
        reader.text(f"{SUPPLY}/voltage_now")
    except PermissionError:
        step = "take a Pixel 6 or later (it has rails), a rooted phone, or an external meter: --meter csv:FILE"
        return Missing("Android denies the shell the battery's current (current_now)", step)
    except FileNotFoundError:
        return Missing("the battery tells no current (no power_supply/battery/current_now)")
    return None


def _add_up(readings: list[Reading], *, least_s: float) -> Energy:
    base = Energy(NAME, SCOPE, "C", None, readings[-1].at_s - readings[0].at_s)
    states = [state for reading in readings if (state := parse(reading.texts[2] or "")) is not None]
    if not states:
        return not_measured(base, "dumpsys battery did not answer during the run")
    amperes = [_amperes(reading.texts[0]) for reading in readings]
    watts = [_watts(one, reading.texts[1]) for one, reading in zip(amperes, readings, strict=True)]
    times = [reading.at_s for reading in readings]
    whole = integrate(list(zip(times, watts, strict=True)))
    if isinstance(whole, Missing):
        return not_measured(base, whole.reason, whole.next)
    invalid = [*_conditions(states, readings), *_signs(amperes), *_disagreement(times, amperes, states)]
    if whole.seconds >= least_s:
        invalid += _drain(states, whole)
    return Energy(NAME, SCOPE, "C", whole.joules, whole.seconds, whole.samples, {}, tuple(invalid))


def _conditions(states: list[State], readings: list[Reading]) -> list[str]:
    """What was wrong at any time of the run, each once."""
    found = []
    if any(state.stopped for state in states):
        found.append("its updates were stopped (dumpsys battery unplug only plays a state): run dumpsys battery reset")
    fed = sorted({name for state in states for name in state.fed_by})
    if fed:
        found.append(f"it was fed ({', '.join(fed)}): {WIRELESS}")
    statuses = {state.status for state in states} - {None, DISCHARGING}
    if statuses and not fed:
        found.append(f"it was not discharging (status {', '.join(map(str, sorted(filter(None, statuses))))})")
    levels = [state.level for state in states if state.level is not None]
    if levels and not (LEVELS[0] <= min(levels) and max(levels) <= LEVELS[1]):
        found.append(f"the battery was at {max(levels)} % to {min(levels)} %, {LEVELS[0]} to {LEVELS[1]} % are allowed")
    if any((reading.texts[3] or "").strip() == "1" for reading in readings):
        found.append("the battery saver was on")
    return found


def _signs(amperes: list[float | None]) -> list[str]:
    known = [current for current in amperes if current]
    if known and min(known) < 0 < max(known):
        return ["the current changed its direction: the battery was charged for a part of the run"]
    return []


def _disagreement(times: list[float], amperes: list[float | None], states: list[State]) -> list[str]:
    """The integral of the current against the charge counter, where there is one that moves."""
    charges = [state.charge_uah for state in states if state.charge_uah is not None]
    flown = integrate([(at, None if one is None else abs(one)) for at, one in zip(times, amperes, strict=True)])
    if len(charges) < 2 or isinstance(flown, Missing):
        return ["the battery has no charge counter to hold its current against"]
    counted_c = (charges[0] - charges[-1]) * 1e-6 * 3600
    if counted_c <= 0:
        return ["the charge counter did not move: the run was too short, or the counter does not work"]
    if abs(flown.joules - counted_c) > AGREE * counted_c:  # the integral of amperes is coulombs
        return [f"the current adds up to {flown.joules:.0f} C, the charge counter lost {counted_c:.0f} C"]
    return []


def _drain(states: list[State], whole: Count) -> list[str]:
    levels = [state.level for state in states if state.level is not None]
    lost = (levels[0] - levels[-1]) / 100 if levels else 0.0
    if lost < LEAST_DRAIN:
        return [f"the battery lost {lost:.0%}, {LEAST_DRAIN:.0%} are needed (in {whole.seconds:.0f} s)"]
    return []


def _amperes(text: str | None) -> float | None:
    try:
        value = int(text or "")
    except ValueError:
        return None
    return value * (1e-3 if abs(value) < MILLIAMPERES_BELOW else 1e-6)


def _watts(amperes: float | None, microvolts: str | None) -> float | None:
    if amperes is None or microvolts is None or not microvolts.isdigit():
        return None
    volts = int(microvolts) * (1e-3 if int(microvolts) < 100_000 else 1e-6)  # a few tell millivolts
    return abs(amperes) * volts
