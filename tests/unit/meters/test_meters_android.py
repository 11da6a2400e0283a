"""Android: the fuel gauge and its conditions, and the rails of a perfetto trace."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable

import pytest

from edgekit.meters import Energy, Missing, android_battery, android_rails
from edgekit.meters._trace import rails
from tests.unit.meters.recorded import FIXTURES, Recorded, fixture, seconds

pytestmark = pytest.mark.unit

CURRENT = f"{android_battery.SUPPLY}/current_now"
VOLTAGE = f"{android_battery.SUPPLY}/voltage_now"
TRACE = (FIXTURES / "rails/trace.pftrace").read_bytes()
Dump = Callable[[float], str]


def dump(at: float, *, amperes: float = 0.5, start: str = "battery/discharging.txt", drain: float = 3.0) -> str:
    """`dumpsys battery` after `at` seconds of a run of 720 s that takes `drain` per cent."""
    text = fixture(start)
    text = text.replace("Charge counter: 2600000", f"Charge counter: {2600000 - round(amperes * at / 3600 * 1e6)}")
    return text.replace("level: 62", f"level: {62 - int(drain * at / 720)}")


@pytest.fixture
def phone(machine: Recorded) -> Recorded:
    """0.5 A at 3.95 V for 12 minutes."""
    machine.plant({CURRENT: "-500000", VOLTAGE: "3950000"})
    machine.answers = {android_battery.DUMP: dump(0), android_battery.SAVER: "0"}
    machine.times = seconds(720, 5)
    machine.course = {android_battery.DUMP: dump}
    return machine


def measure(phone: Recorded) -> Energy:
    meter = android_battery.found(phone)
    assert not isinstance(meter, Missing), meter
    meter.start()
    return meter.stop()


@pytest.mark.parametrize(
    ("current", "voltage"),
    [("-500000", "3950000"), ("500000", "3950000"), ("-500", "3950000"), ("500", "3950")],
    ids=["uA, discharging is negative", "uA, positive", "mA, negative", "mA and mV, positive"],
)
def test_joules_whatever_the_vendor_writes(phone: Recorded, current: str, voltage: str) -> None:
    phone.plant({CURRENT: current, VOLTAGE: voltage})
    found = measure(phone)
    assert (found.state, found.grade, found.invalid) == ("measured", "C", ())
    assert found.joules == pytest.approx(0.5 * 3.95 * 720, rel=0.01)


def test_a_current_that_moves(phone: Recorded) -> None:
    dice = random.Random(1)
    noise = {at: dice.uniform(-200_000, 200_000) for at in phone.times}
    phone.course[CURRENT] = lambda at: str(round(-500_000 + noise[at]))
    found = measure(phone)
    assert found.state == "measured" and found.joules == pytest.approx(0.5 * 3.95 * 720, rel=0.03)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("battery/samsung-usb.txt", "it was fed (USB powered): unplug it"),
        ("battery/pixel-ac.txt", "it was fed (AC powered)"),
        ("battery/unplug.txt", "its updates were stopped (dumpsys battery unplug only plays a state)"),
    ],
)
def test_a_phone_that_is_fed_gives_no_valid_figure(phone: Recorded, name: str, reason: str) -> None:
    phone.course[android_battery.DUMP] = lambda at: fixture(name) if 100 < at < 200 else dump(at)
    found = measure(phone)
    assert found.state == "invalid" and found.joules is not None
    assert any(why.startswith(reason) for why in found.invalid)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"dump": lambda at: dump(at, drain=0.5)}, "the battery lost 0%"),
        ({"dump": lambda at: dump(at).replace("level: ", "level: 9")}, "the battery was at 96"),
        ({"dump": lambda at: dump(at, amperes=0.9)}, "the current adds up to 360 C, the charge counter lost 648 C"),
        ({"dump": lambda at: dump(at, amperes=0)}, "the charge counter did not move"),
        ({"dump": lambda at: dump(at).replace("status: 3", "status: 5")}, "it was not discharging (status 5)"),
        ({"saver": lambda at: "1"}, "the battery saver was on"),
        ({"current": lambda at: "300000" if at > 700 else "-500000"}, "the current changed its direction"),
    ],
)
def test_conditions_that_break_the_figure(phone: Recorded, change: dict[str, Dump], reason: str) -> None:
    sources = {"dump": android_battery.DUMP, "saver": android_battery.SAVER, "current": CURRENT}
    phone.course |= {sources[name]: value for name, value in change.items()}
    found = measure(phone)
    assert found.state == "invalid" and any(why.startswith(reason) for why in found.invalid), found.invalid


def test_a_short_run_is_invalid(phone: Recorded) -> None:
    phone.times = seconds(60, 5)
    found = measure(phone)
    assert found.state == "invalid" and "Android fuel gauge needs 600 s, the run had 60.0 s" in found.invalid


def test_a_current_that_vanishes_or_is_denied(phone: Recorded) -> None:
    phone.course[CURRENT] = lambda at: "-500000" if at < 300 else None
    found = measure(phone)
    assert found.state == "not-measured" and found.missing is not None and "vanished 295 s" in found.missing.reason
    phone.denied = {CURRENT}
    denied = android_battery.found(phone)
    assert isinstance(denied, Missing) and "denies" in denied.reason and "csv:FILE" in denied.next


def test_what_a_real_samsung_tells() -> None:
    state = android_battery.parse(fixture("battery/samsung-usb.txt"))
    assert state is not None and state.fed_by == ("USB powered",) and not state.stopped
    assert (state.status, state.level, state.voltage_mv, state.temperature_c) == (2, 84, 4063, 32.6)
    assert android_battery.parse("sh: dumpsys: not found") is None


def test_another_machine_has_no_battery_of_android(machine: Recorded) -> None:
    for module in (android_battery, android_rails):
        answer = module.found(machine)  # type: ignore[attr-defined]
        assert isinstance(answer, Missing) and "no Android device" in answer.reason


class Tracing(Recorded):
    """A phone whose perfetto writes the recorded trace."""

    trace = TRACE
    said = "4711\n"

    def run(self, *argv: str, stdin: str = "") -> str:
        if argv[0] == "perfetto":
            assert "collect_power_rails: true" in stdin and argv[-1].startswith("/data/misc/perfetto-traces/")
            return self.said
        if argv[0] == "base64":
            return base64.encodebytes(self.trace).decode()
        assert argv[0] in ("kill", "rm")
        return ""


@pytest.fixture
def pixel(machine: Recorded, monkeypatch: pytest.MonkeyPatch) -> Tracing:
    monkeypatch.setattr("edgekit.meters.android_rails.time.sleep", lambda seconds: None)
    return Tracing(machine.root)


def test_the_rails_of_a_trace_are_added(pixel: Tracing) -> None:
    meter = android_rails.found(pixel)
    assert not isinstance(meter, Missing)
    meter.start()
    found = meter.stop()
    assert found.state == "measured" and found.grade == "B"
    assert found.joules == pytest.approx(1.8 * 60) and found.seconds == pytest.approx(60)
    assert found.parts == pytest.approx({"S4M_VDD_CPUCL0": 75, "S2M_VDD_CPUCL2": 30, "S2S_VDD_G3D": 3})
    assert found.samples[60].watts == pytest.approx(1.8)


def test_a_rail_that_vanishes() -> None:
    there = rails(TRACE)
    there.counts[1] = there.counts[1][:60]
    found = android_rails.add_up(there)
    assert found.state == "not-measured" and found.missing is not None
    assert found.missing.reason.startswith("S2M_VDD_CPUCL2: the counter vanished 30 s after")


def test_a_trace_that_is_cut_or_empty(pixel: Tracing) -> None:
    meter = android_rails.found(pixel)
    assert not isinstance(meter, Missing)
    meter.start()
    pixel.trace = TRACE[:-3]
    found = meter.stop()
    assert found.state == "not-measured" and found.missing is not None and "ends in the middle" in found.missing.reason
    pixel.trace = b""
    none = android_rails.found(pixel)
    assert isinstance(none, Missing) and "Pixel 6" in none.reason
    pixel.said = "unable to connect to the traced service"
    silent = android_rails.found(pixel)
    assert isinstance(silent, Missing) and "persist.traced.enable" in silent.next


def test_traces_that_are_none_are_refused() -> None:
    dice = random.Random(7)
    for _ in range(300):
        damaged = bytearray(TRACE)
        for _ in range(20):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        try:
            rails(bytes(damaged))
        except ValueError:
            continue
