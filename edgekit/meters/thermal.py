"""How warm a machine is and whether it throttles: thermal zones, Android's thermal service, CPU clocks.

Sources: Linux, Documentation/driver-api/thermal/sysfs-api.rst (temp in millidegrees) and cpufreq's sysfs (kHz); AOSP,
ThermalManagerService.java (the dump, `cmd thermalservice headroom SECONDS`) and Temperature.aidl: only some of its
types are temperatures, the others are millivolts, milliamperes and per cent of the battery's current limiters.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from edgekit.contract.result import Course
from edgekit.errors import EdgekitError
from edgekit.reading import Poll, Reader, Reading, Source

ZONES = "/sys/class/thermal/thermal_zone*/temp"
CLOCKS = "/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq"
SERVICE = ("dumpsys", "thermalservice")
HEADROOM = ("cmd", "thermalservice", "headroom", "10")  # Android 11 and later; asked at most once a second
BATTERY, SKIN = 2, 3
_TEMPERATURES = {0: "cpu", 1: "gpu", BATTERY: "battery", SKIN: "skin", 9: "npu"}
_LINE = re.compile(r"Temperature\{mValue=(-?[\d.]+), mType=(-?\d+), mName=([^,}]+), mStatus=(\d)\}")
_STATUS = re.compile(r"^\s*Thermal Status: (\d)", re.MULTILINE)
_PLAUSIBLE_C = (1.0, 150.0)  # a zone that is switched off tells 0 or nonsense

START_STATUS, START_HEADROOM, START_BATTERY_C, START_C = 0, 0.7, 35.0, 60.0  # MEASURING.md: before a measurement
THROTTLED_STATUS, CLOCK_SHARE = 2, 0.95  # MEASURING.md: during one
PERIOD_S = 2.0


@dataclass(frozen=True)
class Thermal:
    """One look at a machine; None for what it does not tell.

    Attributes:
        temperatures_c: by sensor.
        status: Android's, 0 (none) to 6 (shutdown).
        headroom: Android's forecast for 10 s: 1.0 is where severe throttling begins.
        clock_mhz: the median of the CPUs.
    """

    temperatures_c: dict[str, float]
    battery_c: float | None = None
    status: int | None = None
    headroom: float | None = None
    clock_mhz: float | None = None

    @property
    def hottest_c(self) -> float | None:
        """The highest temperature."""
        return max(self.temperatures_c.values(), default=None)


def look(reader: Reader) -> Thermal:
    """The machine's temperatures and clocks now."""
    text = _try(reader, SERVICE)
    if text is not None and _STATUS.search(text):
        return _android(text, _try(reader, HEADROOM), _clocks(reader))
    zones: dict[str, float] = {}
    for path in reader.find(ZONES):
        name, celsius = _zone(reader, path)
        if celsius is not None:
            zones[name if name not in zones else f"{name} {path.rpartition('/')[0][-2:]}"] = celsius
    return Thermal(zones, clock_mhz=_clocks(reader))


def not_ready(now: Thermal) -> list[str]:
    """Why a measurement should not begin yet, in words."""
    found = []
    if now.status is not None and now.status > START_STATUS:
        found.append(f"Android's thermal status is {now.status}")
    if now.headroom is not None and now.headroom > START_HEADROOM:
        found.append(f"the thermal headroom is {now.headroom:.2f}, {START_HEADROOM} is allowed")
    if now.battery_c is not None and now.battery_c > START_BATTERY_C:
        found.append(f"the battery has {now.battery_c:.0f} C, {START_BATTERY_C:.0f} C are allowed")
    hottest = now.hottest_c
    if now.status is None and hottest is not None and hottest > START_C:
        found.append(f"the machine has {hottest:.0f} C, {START_C:.0f} C are allowed")
    return found


@dataclass
class Watch:
    """Temperature and clocks while something else is measured."""

    reader: Reader
    period_s: float = PERIOD_S
    _sources: list[Source] = field(default_factory=list)
    _poll: Poll | None = None

    def start(self) -> None:
        """Take the first sample; others follow."""
        android = _STATUS.search(_try(self.reader, SERVICE) or "") is not None
        heat: list[Source] = [SERVICE] if android else list(self.reader.find(ZONES))
        self._sources = [*heat, *self.reader.find(CLOCKS)]
        self._poll = self.reader.poll(self._sources, self.period_s)

    def stop(self) -> Course:
        """Take the last sample, and say whether the machine throttled."""
        assert self._poll is not None, "stop without start"
        return course(self._poll.stop(), self._sources)


def course(readings: Sequence[Reading], sources: Sequence[Source]) -> Course:
    """What readings of these sources (SERVICE or zones, then clocks) tell."""
    start = readings[0].at_s
    hottest: list[float | None] = []
    clocks: list[float | None] = []
    status: list[int | None] = []
    for reading in readings:
        pairs = list(zip(sources, reading.texts, strict=True))
        service = next((text for source, text in pairs if source == SERVICE), None)
        zones = [_celsius(text) for source, text in pairs if isinstance(source, str) and "/thermal/" in source]
        freqs = [
            int(text)
            for source, text in pairs
            if isinstance(source, str) and "/cpufreq/" in source and text is not None and text.isdigit()
        ]
        android = _android(service, None, None) if service is not None else None
        known = [one for one in zones if one is not None]
        hottest.append(android.hottest_c if android else max(known, default=None))
        status.append(android.status if android else None)
        clocks.append(statistics.median(freqs) / 1000 if freqs else None)
    times = tuple(reading.at_s - start for reading in readings)
    why = tuple(_throttled(status, clocks))
    return Course(
        at_s=times, hottest_c=tuple(hottest), clock_mhz=tuple(clocks), status=tuple(status), why_throttled=why
    )


def _throttled(status: Sequence[int | None], clocks: Sequence[float | None]) -> list[str]:
    found = []
    worst = max((one for one in status if one is not None), default=0)
    if worst >= THROTTLED_STATUS:
        found.append(f"Android's thermal status rose to {worst}")
    known = [one for one in clocks if one]
    if len(known) > 1 and statistics.median(known[1:]) < CLOCK_SHARE * known[0]:
        share = statistics.median(known[1:]) / known[0]
        found.append(f"the median clock fell to {share:.0%} of the first")
    return found


def _android(dump: str, headroom: str | None, clock: float | None) -> Thermal:
    """A dump of the thermal service: the HAL's current values, or the cached ones where the HAL gives none."""
    status = _STATUS.search(dump)
    current = dump.partition("Current temperatures from HAL")[2] or dump
    temperatures: dict[str, float] = {}
    battery = None
    for value, kind, name, _ in _LINE.findall(current):
        if int(kind) in _TEMPERATURES and _PLAUSIBLE_C[0] <= float(value) <= _PLAUSIBLE_C[1]:
            temperatures[name] = float(value)
            battery = float(value) if int(kind) == BATTERY else battery
    number = re.search(r"-?\d+\.\d+", headroom or "")  # NaN where the phone has no forecast
    return Thermal(
        temperatures, battery, int(status[1]) if status else None, float(number[0]) if number else None, clock
    )


def _zone(reader: Reader, path: str) -> tuple[str, float | None]:
    try:
        return reader.text(f"{path.rpartition('/')[0]}/type"), _celsius(reader.text(path))
    except OSError:
        return path, None


def _celsius(text: str | None) -> float | None:
    try:
        celsius = int(text or "") / 1000
    except ValueError:
        return None
    return celsius if _PLAUSIBLE_C[0] <= celsius <= _PLAUSIBLE_C[1] else None


def _clocks(reader: Reader) -> float | None:
    found = []
    for path in reader.find(CLOCKS):
        try:
            found.append(int(reader.text(path)) / 1000)
        except (OSError, ValueError):
            continue
    return statistics.median(found) if found else None


def _try(reader: Reader, command: tuple[str, ...]) -> str | None:
    try:
        return reader.run(*command)
    except (OSError, EdgekitError):
        return None
