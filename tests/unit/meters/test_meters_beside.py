"""Windows' energy meter, an external meter's CSV, what all meters share, and the thermal course."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from edgekit.errors import UsageError
from edgekit.meters import Energy, Missing, external_csv, net, not_measured, thermal, windows_emi
from edgekit.meters.external_csv import ExternalMeter
from edgekit.verdicts.energy import fine_enough
from tests.unit.meters.recorded import Recorded, fixture, seconds, tree

pytestmark = pytest.mark.unit

START = datetime.fromisoformat("2026-11-24T10:00:00+00:00").timestamp()


# Windows -----------------------------------------------------------------------------------------------------------


def test_windows_takes_packages_and_memory(machine: Recorded) -> None:
    text = fixture("windows/emi.txt")
    machine.answers = {windows_emi.COMMAND: text}
    machine.times = seconds(60, 5)
    step = 1 / 3.6e-9  # counts of a joule

    def grown(at: float) -> str:
        more = text.replace("95000000000000.000000", f"{95000000000000 + 15 * at * step:.6f}")
        return more.replace("8000000000000.000000", f"{8000000000000 + 2 * at * step:.6f}")

    machine.course = {windows_emi.COMMAND: grown}
    meter = windows_emi.found(machine)
    assert not isinstance(meter, Missing)
    meter.start()
    found = meter.stop()
    assert found.state == "measured" and found.grade == "B"
    assert found.joules == pytest.approx(17 * 60, rel=1e-6)
    assert set(found.parts) == {"RAPL_Package0_PKG", "RAPL_Package0_DRAM"}


def test_windows_without_a_meter_and_with_one_that_vanishes(machine: Recorded) -> None:
    machine.answers = {windows_emi.COMMAND: fixture("windows/none.txt")}
    none = windows_emi.found(machine)
    assert isinstance(none, Missing) and "typeperf -qx" in none.next
    machine.answers = {windows_emi.COMMAND: fixture("windows/emi.txt")}
    machine.times = seconds(20, 5)
    machine.course = {windows_emi.COMMAND: lambda at: fixture("windows/emi.txt") if at < 10 else None}
    meter = windows_emi.found(machine)
    assert not isinstance(meter, Missing)
    meter.start()
    found = meter.stop()
    assert found.state == "not-measured" and found.missing is not None and "vanished 5 s" in found.missing.reason


# An external meter --------------------------------------------------------------------------------------------------


@pytest.fixture
def monsoon(tmp_path: Path) -> Path:
    path = tmp_path / "power.csv"
    path.write_text(fixture("csv/monsoon.csv"), encoding="utf-8")
    return path


def test_a_csv_between_two_times(monsoon: Path) -> None:
    clock = iter((START + 5, START + 25))
    meter = ExternalMeter(monsoon, starts_at=START, now=lambda: next(clock))
    meter.start()
    found = meter.stop()
    assert found.state == "measured" and found.grade == "A" and found.tolerance == 0.02
    assert found.joules == pytest.approx(2.2 * 20, rel=0.01) and found.seconds == pytest.approx(20, abs=0.5)


def test_the_ways_programs_write_columns(tmp_path: Path) -> None:
    texts = {
        "timestamp_ms,current_uA\n" + "".join(f"{1000 * at},500000\n" for at in range(20)): 5.0,
        "# time,current,voltage\n" + "".join(f"{at},0.5,5\n" for at in range(20)): None,
        "t,power [W],note\n" + "".join(f"{at},2.5,x\n" for at in range(20)): None,
        "Joulescope export\n\ntime (s),power (mW)\n" + "".join(f"{at},2500\n" for at in range(20)): None,
        "time,power\n" + "".join(f"2026-11-24T10:00:{at:02}+00:00,2.5\n" for at in range(20)) + "2026-11-": None,
    }
    for text, volts in texts.items():
        path = tmp_path / "meter.csv"
        path.write_text(text, encoding="utf-8-sig")
        dated = "2026" in text
        found = ExternalMeter(path, starts_at=None if dated else START, volts=volts).between(START, START + 19)
        assert found.joules == pytest.approx(2.5 * 19), text[:40]


def test_files_that_cannot_serve(monsoon: Path, tmp_path: Path) -> None:
    undated = ExternalMeter(monsoon).between(START, START + 20)
    assert undated.state == "not-measured" and undated.missing is not None and "no dates" in undated.missing.reason
    away = ExternalMeter(monsoon, starts_at=START).between(START + 3600, START + 3620)
    assert away.missing is not None and "3570 s away" in away.missing.reason and "clocks" in away.missing.next
    half = ExternalMeter(monsoon, starts_at=START).between(START + 10, START + 40)
    assert half.state == "invalid" and half.invalid == ("the file holds 20.0 s of a run of 30.0 s",)
    short = ExternalMeter(monsoon, starts_at=START).between(START, START + 2)
    assert short.state == "invalid" and "needs 5 s" in short.invalid[0]
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    for path in (tmp_path / "other.csv", tmp_path / "none.csv"):
        with pytest.raises(UsageError) as caught:
            ExternalMeter(path).between(0, 1)
        assert caught.value.next


def test_a_csv_is_never_found_by_itself(machine: Recorded) -> None:
    answer = external_csv.found(machine)
    assert isinstance(answer, Missing) and "--meter csv:FILE" in answer.next


# Above idle ---------------------------------------------------------------------------------------------------------


def energy(watts: float, time: float = 60.0) -> Energy:
    return Energy("meter", "all", "B", watts * time, time)


def test_energy_above_idle() -> None:
    found = net(energy(10), energy(3.0, 30), energy(3.2, 30))
    assert found.state == "measured" and found.joules == pytest.approx(6.9 * 60)


def test_idle_that_changed_makes_it_invalid() -> None:
    found = net(energy(10), energy(3.0), energy(3.5))
    assert found.state == "invalid" and "more than 10 % apart" in found.invalid[0]


def test_idle_that_was_not_measured() -> None:
    found = net(energy(10), energy(3.0), not_measured(energy(3), "the sensor vanished"))
    assert found.state == "not-measured" and found.missing == Missing("the sensor vanished")


def test_a_budget_finer_than_the_sensor_is_refused() -> None:
    assert fine_enough("B", 5.0, 6.0) == ""
    assert "grade B may be off by 10%" in fine_enough("B", 5.0, 5.3)
    assert fine_enough("A", 5.0, 5.3) == ""
    assert "no verdict" in fine_enough("D", 5.0, 50.0)


# Heat ---------------------------------------------------------------------------------------------------------------


def test_zones_and_clocks_of_a_board(machine: Recorded) -> None:
    machine.plant(tree("thermal/board.tree"))
    now = thermal.look(machine)
    assert now.temperatures_c == {"cpu-thermal": 52.3, "gpu-thermal": 49.1}  # -256 is a zone that is off
    assert now.hottest_c == 52.3 and now.clock_mhz == pytest.approx(1510.4)
    assert thermal.not_ready(now) == []
    machine.plant({"/sys/class/thermal/thermal_zone0/temp": "71000"})
    assert thermal.not_ready(thermal.look(machine)) == ["the machine has 71 C, 60 C are allowed"]


@pytest.mark.parametrize(("name", "hottest", "battery"), [("pixel", 27.0, 22.1), ("snapdragon", 44.1, 28.0)])
def test_real_phones(machine: Recorded, name: str, hottest: float, battery: float) -> None:
    """Battery current limiters (milliamperes) are not taken for temperatures, nor cached values for current ones."""
    machine.answers = {thermal.SERVICE: fixture(f"thermal/{name}.txt"), thermal.HEADROOM: "NaN\n"}
    now = thermal.look(machine)
    assert (now.status, now.headroom) == (0, None)
    assert now.hottest_c == pytest.approx(hottest, abs=0.01) and now.battery_c == pytest.approx(battery, abs=0.01)
    assert thermal.not_ready(now) == []


def test_a_phone_that_is_not_ready(machine: Recorded) -> None:
    hot = (
        fixture("thermal/pixel.txt")
        .replace("Thermal Status: 0", "Thermal Status: 1")
        .replace("mValue=22.1", "mValue=37.0")
    )
    machine.answers = {thermal.SERVICE: hot, thermal.HEADROOM: "0.83\n"}
    assert len(thermal.not_ready(thermal.look(machine))) == 3


def test_a_course_with_and_without_throttling(machine: Recorded) -> None:
    machine.plant(tree("thermal/board.tree"))
    machine.times = seconds(60, 2)
    watch = thermal.Watch(machine)
    watch.start()
    steady = watch.stop()
    assert steady.why_throttled == () and steady.hottest_c[0] == 52.3 and len(steady.at_s) == 31
    for cpu in range(4):
        path = f"/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq"
        machine.course[path] = lambda at: "1500000" if at < 10 else "1200000"
    machine.course["/sys/class/thermal/thermal_zone0/temp"] = lambda at: str(50_000 + round(400 * at))
    watch.start()
    throttled = watch.stop()
    assert throttled.why_throttled == ("the median clock fell to 80% of the first",)
    assert throttled.hottest_c[-1] == pytest.approx(74.0)


def test_a_phone_that_throttles(machine: Recorded) -> None:
    cool = fixture("thermal/pixel.txt")
    machine.answers = {thermal.SERVICE: cool}
    machine.times = seconds(20, 2)
    machine.course = {thermal.SERVICE: lambda at: cool.replace("Status: 0", "Status: 3") if at > 10 else cool}
    watch = thermal.Watch(machine)
    watch.start()
    found = watch.stop()
    assert found.why_throttled == ("Android's thermal status rose to 3",) and found.status[0] == 0
