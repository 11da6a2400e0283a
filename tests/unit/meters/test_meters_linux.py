"""RAPL, INA3221 and the Raspberry Pi's power chip: right joules, wrap, vanish, denied."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit import meters
from edgekit.devices._reader import LocalReader
from edgekit.meters import Energy, Meter, Missing, hwmon_ina3221, pi5_pmic, rapl
from tests.unit.meters.recorded import Recorded, fixture, seconds, tree

pytestmark = pytest.mark.unit

PACKAGE = "/sys/class/powercap/intel-rapl:0/energy_uj"
DRAM = "/sys/class/powercap/intel-rapl:0:1/energy_uj"
RANGE = 262143328850


def meter(answer: Meter | Missing) -> Meter:
    assert not isinstance(answer, Missing), answer
    return answer


def run(one: Meter) -> Energy:
    one.start()
    return one.stop()


@pytest.fixture
def laptop(machine: Recorded) -> Recorded:
    """25 W of a package and 3 W of memory for 60 s."""
    machine.plant(tree("rapl/laptop.tree"))
    machine.times = seconds(60)
    machine.course = {
        PACKAGE: lambda at: str(198765432109 + round(25e6 * at)),
        DRAM: lambda at: str(45678901234 + round(3e6 * at)),
    }
    return machine


def test_rapl_adds_packages_and_memory_and_nothing_twice(laptop: Recorded) -> None:
    found = run(meter(rapl.found(laptop)))
    assert found.state == "measured" and found.grade == "B" and found.tolerance == 0.10
    assert found.joules == pytest.approx(28 * 60, rel=1e-6) and found.average_w == pytest.approx(28)
    assert found.parts == pytest.approx({"package-0 (intel-rapl:0)": 1500, "dram (intel-rapl:0:1)": 180})
    assert len(found.samples) == 61 and found.samples[30].watts == pytest.approx(28)


def test_rapl_wraps(laptop: Recorded) -> None:
    laptop.course[PACKAGE] = lambda at: str((RANGE - 500_000_000 + round(25e6 * at)) % RANGE)
    found = run(meter(rapl.found(laptop)))
    assert found.state == "measured" and found.joules == pytest.approx(28 * 60, rel=1e-6)


def test_rapl_that_may_have_wrapped_twice_is_invalid(laptop: Recorded) -> None:
    laptop.times = [0.0, 600.0]
    found = run(meter(rapl.found(laptop)))
    assert found.state == "invalid" and "wrapped twice" in found.invalid[0]


def test_rapl_vanishes(laptop: Recorded) -> None:
    laptop.course[DRAM] = lambda at: str(round(3e6 * at)) if at < 40 else None
    found = run(meter(rapl.found(laptop)))
    assert found.state == "not-measured" and found.missing is not None
    assert found.missing.reason == "dram (intel-rapl:0:1): the counter vanished 39 s after the run began"


def test_rapl_for_root_only(laptop: Recorded) -> None:
    laptop.denied = {PACKAGE}
    answer = rapl.found(laptop)
    assert isinstance(answer, Missing) and answer.reason == "only root may read the RAPL counters"
    assert answer.next.startswith("sudo chmod a+r /sys/class/powercap")


def test_rapl_of_a_short_run_is_invalid(laptop: Recorded) -> None:
    laptop.times = seconds(5)
    found = run(meter(rapl.found(laptop)))
    assert found.state == "invalid" and found.joules == pytest.approx(140)
    assert found.invalid == ("RAPL (powercap) needs 10 s, the run had 5.0 s",)


def test_rapl_of_a_real_tree_that_grows(tmp_path: Path) -> None:
    """Through the reader of this machine, with its thread and its clock: the counts are exact whatever the time."""
    planted = Recorded(tmp_path)
    planted.plant(tree("rapl/laptop.tree"))
    one = meter(rapl.found(LocalReader(tmp_path)))
    one.start()
    planted.plant({PACKAGE: str(198765432109 + 7_000_000)})
    found = one.stop()
    assert found.joules == pytest.approx(7.0) and found.seconds > 0


def test_a_machine_without_counters(machine: Recorded) -> None:
    answer = rapl.found(machine)
    assert isinstance(answer, Missing) and "no RAPL counter" in answer.reason


def test_ina3221_takes_the_rail_that_feeds_the_module(machine: Recorded) -> None:
    machine.plant(tree("ina3221/orin-nano.tree"))
    machine.times = seconds(30, 0.5)
    machine.course["/sys/class/hwmon/hwmon1/curr1_input"] = lambda at: "2000" if at >= 15 else "1000"
    found = run(meter(hwmon_ina3221.found(machine)))
    exact = 5.048 * (1.0 * 15 + 2.0 * 15)
    assert found.state == "measured" and found.grade == "C" and found.scope == "the module (VDD_IN)"
    assert found.joules == pytest.approx(exact, rel=0.01)


def test_ina3221_adds_rails_of_two_chips(machine: Recorded) -> None:
    machine.plant(tree("ina3221/agx-orin.tree"))
    machine.times = seconds(10)
    found = run(meter(hwmon_ina3221.found(machine)))
    assert set(found.parts) == {"VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"}
    assert found.joules == pytest.approx(10 * (19.976 * 0.216 + 5.016 * 0.96), rel=1e-6)


def test_ina3221_vanishes_fails_now_and_then_or_is_denied(machine: Recorded) -> None:
    machine.plant(tree("ina3221/orin-nano.tree"))
    machine.times = seconds(20)
    current = "/sys/class/hwmon/hwmon1/curr1_input"
    machine.course[current] = lambda at: None if at == 7 else "1000"
    once = run(meter(hwmon_ina3221.found(machine)))
    assert once.state == "measured" and once.joules == pytest.approx(20 * 5.048, rel=0.01)
    machine.course[current] = lambda at: None if at % 3 == 1 else "1000"
    often = run(meter(hwmon_ina3221.found(machine)))
    assert often.state == "not-measured" and often.missing is not None and "failed" in often.missing.reason
    machine.course[current] = lambda at: None if at > 12 else "1000"
    gone = run(meter(hwmon_ina3221.found(machine)))
    assert gone.state == "not-measured" and gone.missing is not None
    assert gone.missing.reason == "VDD_IN: the sensor vanished 12 s after the run began"
    machine.denied = {f"/sys/class/hwmon/hwmon1/in{channel}_input" for channel in (1, 2, 3)}
    denied = hwmon_ina3221.found(machine)
    assert isinstance(denied, Missing) and "sudo chmod a+r /sys/class/hwmon/hwmon1" in denied.next


def test_the_pi_adds_its_rails_and_fits_the_input(machine: Recorded) -> None:
    load = fixture("pi5/load.txt")
    assert len(pi5_pmic.rails(load)) == 12 and "EXT5V" not in pi5_pmic.rails(load)
    machine.answers = {pi5_pmic.COMMAND: fixture("pi5/idle.txt")}
    machine.course[pi5_pmic.COMMAND] = lambda at: load if at >= 10 else fixture("pi5/idle.txt")
    machine.times = seconds(20)
    found = run(meter(pi5_pmic.found(machine)))
    idle, busy = (1.1451 * sum(pi5_pmic.rails(text).values()) + 0.5879 for text in (fixture("pi5/idle.txt"), load))
    assert 3 < idle < 4 < 7 < busy < 9  # what an external meter shows of an idle and of a busy Pi 5
    assert found.state == "measured" and found.grade == "C"
    assert found.joules == pytest.approx(9.5 * idle + 10.5 * busy, rel=0.01)


@pytest.mark.parametrize(
    ("answer", "reason", "step"),
    [
        (fixture("pi5/pi4.txt"), "no rail currents", ""),
        (fixture("pi5/denied.txt"), "may not ask the firmware", "usermod -aG video"),
        (PermissionError("vcgencmd"), "may not ask the firmware", "usermod -aG video"),
        (FileNotFoundError("vcgencmd"), "no vcgencmd", ""),
    ],
)
def test_boards_that_tell_no_power(machine: Recorded, answer: str | OSError, reason: str, step: str) -> None:
    machine.answers = {pi5_pmic.COMMAND: answer}
    found = pi5_pmic.found(machine)
    assert isinstance(found, Missing) and reason in found.reason and step in found.next


def test_the_best_meter_comes_first_and_each_missing_one_has_a_reason(laptop: Recorded) -> None:
    laptop.plant(tree("ina3221/orin-nano.tree"))
    there, missing = meters.find(laptop)
    assert [one.name for one in there] == ["RAPL (powercap)", "INA3221 (hwmon)"]
    assert set(missing) == set(meters.meters()) - {"rapl", "hwmon_ina3221"}
    assert all(one.reason for one in missing.values())
