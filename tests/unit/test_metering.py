"""What surrounds a run: waiting, watching and weighing, over readers that stand for a machine's /sys."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit import metering
from edgekit.contract.check_plan import BenchOutcome, default_plan
from edgekit.devices._reader import LocalReader
from edgekit.meters import Energy, Missing, android_battery
from edgekit.meters._power import Polled
from edgekit.meters.rapl import _add_up
from edgekit.results.measurement import EnergyRun, Measurement
from edgekit.results.metrics import Limit
from edgekit.verdicts import energy
from edgekit.verdicts.limits import judge_all
from tests.unit.verdicts.test_summary import outcome

pytestmark = pytest.mark.unit

IDLE_W, BUSY_W = 3.0, 13.0
PLAN = default_plan("llm")
Tell = Callable[[str], None]
FIXTURES = Path(__file__).parents[1] / "fixtures" / "meters"


class Machine(LocalReader):
    """A machine whose energy counter counts the watts it takes, exactly, at the moment it is read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, path=str(root))
        self.steps = [(time.monotonic(), IDLE_W)]  # when it began to take how many watts
        self.reads: list[float] = []
        self.gone = False

    def take(self, watts: float) -> None:
        """From now on."""
        self.steps.append((time.monotonic(), watts))

    def text(self, path: str) -> str:
        """The counter, in microjoules."""
        if self.gone:
            raise FileNotFoundError(path)
        now = time.monotonic()
        self.reads.append(now)
        ends = [*(at for at, _ in self.steps[1:]), now]
        joules = sum(watts * (end - at) for (at, watts), end in zip(self.steps, ends, strict=True))
        return str(int(joules * 1e6))

    def meter(self, least_s: float = 0.4) -> Polled:
        """RAPL's own reading, for runs of less than its ten seconds."""
        add_up = functools.partial(_add_up, titles=("package-0",), ranges=(1e12,))
        source = "/sys/class/powercap/intel-rapl:0/energy_uj"
        return Polled("RAPL (powercap)", "CPU packages", "B", least_s, self, [source], 0.05, add_up)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def sustained(laps: int, lap_s: float) -> BenchOutcome:
    """A run of `laps` answers."""
    return outcome(
        samples={"decode_tps": [50.0] * laps},
        warmup=None,
        watch={"at_s": [at * lap_s for at in range(laps + 1)]},
        trials=laps,
    )


def test_a_run_is_weighed_above_the_idle_before_and_after_it(machine: Machine) -> None:
    began = 0.0

    def bench(seconds: float, tell: Tell) -> BenchOutcome:
        """Loads, says when the load is there, and takes BUSY_W for the time."""
        nonlocal began
        machine.take(1000.0)  # loading: not weighed
        time.sleep(0.1)
        machine.take(BUSY_W)
        before = len(machine.reads)
        tell(f"0 of {seconds:.0f} s")
        began = machine.reads[before]
        time.sleep(seconds)
        machine.take(IDLE_W)
        return sustained(10, seconds / 10)

    run, _ = metering.weigh(machine.meter(), PLAN, bench, 1.0)
    busy_s = machine.steps[-1][0] - began
    assert run.meter == "RAPL (powercap)" and run.grade == "B" and run.tolerance == 0.10
    assert run.net_j == pytest.approx((BUSY_W - IDLE_W) * busy_s, rel=0.05)
    assert run.gross_j is not None and run.gross_j > run.net_j
    assert run.idle_w == pytest.approx((IDLE_W, IDLE_W), rel=0.05)
    found = {one.metric: one for one in energy.measurements(run, "host", sustained=True)}
    assert found["power_avg_w"].value == pytest.approx(run.net_j / run.seconds, rel=1e-3)
    assert found["energy_j_per_1k_tokens"].value == pytest.approx(1000 * run.net_j / run.work, rel=1e-3)
    assert "grade B (+-10%)" in found["energy_j_per_token"].reason


def test_a_counter_that_vanishes_is_not_measured_and_fails_nothing(machine: Machine) -> None:
    def vanish(seconds: float, tell: Tell) -> BenchOutcome:
        tell(f"0 of {seconds:.0f} s")
        machine.gone = True
        return sustained(2, 0.1)

    run, outcome = metering.weigh(machine.meter(), PLAN, vanish, 1.0)
    assert run.net_j is None and "vanished" in run.missing and outcome.trials == 2
    assert all(one.value is None and one.reason for one in energy.measurements(run, "host", sustained=False))


def test_a_run_that_never_says_that_it_began_is_not_weighed(machine: Machine) -> None:
    run, _ = metering.weigh(machine.meter(), PLAN, lambda seconds, tell: sustained(1, 0.1), 1.0)
    assert run.net_j is None and "never seen to begin" in run.missing


def test_without_a_meter_the_run_is_only_run() -> None:
    run, outcome = metering.weigh(Missing("no sensor", "buy one"), PLAN, lambda seconds, tell: sustained(3, 1.0), 3.0)
    assert (run.missing, run.next, outcome.trials) == ("no sensor", "buy one", 3)


def test_a_machine_without_sensors_says_so_and_how_to_get_one(tmp_path: Path) -> None:
    found = metering.choose(LocalReader(tmp_path, path=str(tmp_path)), None, None)
    assert isinstance(found, Missing) and found.reason == "no power sensor was found" and "--meter csv" in found.next


def test_a_counter_that_only_root_may_read_comes_with_the_line_that_allows_it(tmp_path: Path) -> None:
    zone = tmp_path / "sys/class/powercap/intel-rapl:0"
    zone.mkdir(parents=True)
    for name, text in (("name", "package-0"), ("energy_uj", "5"), ("max_energy_range_uj", "1000")):
        (zone / name).write_text(text)

    class Refusing(LocalReader):
        """The kernel's answer to everybody but root."""

        def text(self, path: str) -> str:
            if path.endswith("energy_uj"):
                raise PermissionError(path)
            return super().text(path)

    found = metering.choose(Refusing(tmp_path, path=str(tmp_path)), None, None)
    assert isinstance(found, Missing) and "only root" in found.reason and found.next.startswith("sudo chmod")


def test_a_meter_that_needs_ten_minutes_waits_for_a_long_run(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = machine.meter(least_s=600)
    monkeypatch.setattr("edgekit.meters.find", lambda reader: ([slow], {}))
    reader = machine
    refused = metering.choose(reader, None, None)
    assert isinstance(refused, Missing) and refused.next == "--sustain 10m"
    assert isinstance(metering.choose(reader, None, 30.0), Missing)
    assert metering.choose(reader, None, 600.0) is slow
    assert metering.choose(reader, slow, 5.0) is slow  # who names a meter knows what it can do


class Phone(LocalReader):
    """A phone whose `dumpsys battery` is a recorded one (tests/fixtures/meters/battery)."""

    def __init__(self, root: Path, dump: str) -> None:
        super().__init__(root, path=str(root))
        self._dump = (FIXTURES / "battery" / dump).read_text(encoding="utf-8")

    def run(self, *argv: str, stdin: str = "") -> str:
        return self._dump if argv == android_battery.DUMP else "0\n"


@pytest.mark.parametrize(
    ("dump", "said"),
    [("discharging.txt", ""), ("samsung-usb.txt", "it was fed (USB powered)"), ("unplug.txt", "updates were stopped")],
)
def test_a_battery_that_is_fed_is_known_before_the_run(dump: str, said: str, tmp_path: Path) -> None:
    phone = Phone(tmp_path, dump)
    gauge = Polled(android_battery.NAME, "", "C", 600, phone, [], 1, lambda readings: Energy("", "", "C", None, 0.0))
    found = metering.unfit(gauge, phone)
    assert (said in found[0]) if said else found == []
    assert metering.unfit(Missing("none"), phone) == [] and metering.unfit(gauge, None) == []


def zones(root: Path, celsius: float) -> Path:
    zone = root / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True, exist_ok=True)
    (zone / "type").write_text("x86_pkg_temp")
    (zone / "temp").write_text(str(int(celsius * 1000)))
    return root


def test_a_hot_machine_is_waited_for_and_then_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metering, "LOOK_S", 0.05)
    reader = LocalReader(zones(tmp_path, 80), path=str(tmp_path))
    waited, why = metering.wait_until_ready(reader, 0.3)
    assert waited >= 0.2 and "80 C, 60 C are allowed" in why[0]
    timer = threading.Timer(0.1, zones, (tmp_path, 50))
    timer.start()
    assert metering.wait_until_ready(reader, 30)[1] == []
    timer.join()


def test_temperatures_are_followed_while_a_block_runs(tmp_path: Path) -> None:
    reader = LocalReader(zones(tmp_path, 41), path=str(tmp_path))
    with metering.watched(reader) as seen:
        zones(tmp_path, 55)
    assert seen.hottest_c == 55 and seen.sensors == ("x86_pkg_temp",)
    with metering.watched(None) as nothing:
        pass
    assert nothing.hottest_c is None and nothing.thermal is None


def test_work_before_the_meter_was_ready_does_not_count() -> None:
    done, seconds = energy.work(sustained(10, 1.0), PLAN, 2.5)
    assert seconds == 7.5 and done == pytest.approx(7.5 * 128)
    tensor = outcome(samples={"throughput_ips": [100.0, 50.0]}, watch={"at_s": [0.0, 1.0, 3.0]})
    assert energy.work(tensor, default_plan("tensor"), 0.0) == (200.0, 3.0)


@pytest.mark.parametrize(
    ("limit", "word"), [(6.0, "pass"), (5.2, "not-measured"), (4.8, "not-measured"), (3.0, "fail")]
)
def test_a_budget_finer_than_its_sensor_is_refused(limit: float, word: str) -> None:
    run = EnergyRun(meter="RAPL", scope="CPU", grade="B", tolerance=0.1, net_j=1.0, unit="token")
    found = (Measurement(metric="power_avg_w", value=5.0, evidence="host", n=9),)
    (verdict,) = judge_all(found, {"power_avg_w": Limit(max=limit)}, "host", False, run)
    assert verdict.verdict == word
    assert word != "not-measured" or "finer than the sensor" in verdict.reason


def test_what_broke_the_conditions_makes_the_energy_invalid() -> None:
    run = EnergyRun(
        meter="Android fuel gauge",
        scope="the whole phone",
        grade="C",
        tolerance=0.2,
        gross_j=10.0,
        net_j=5.0,
        seconds=10.0,
        unit="token",
        work=100.0,
        invalid=("it was charging",),
    )
    power, token = energy.measurements(run, "device", sustained=False)
    assert not power.valid and token.reason == "it was charging" and token.value == 0.05


def test_energies_are_added_as_meters_give_them() -> None:
    """Idle that differs before and after says so: the machine was not idle."""
    before, after = (Energy("m", "s", "B", watts * 2.0, 2.0) for watts in (3.0, 6.0))
    run = metering._kept(Energy("m", "s", "B", 40.0, 2.0), before, after, PLAN, 100.0, 2.0)
    assert run.invalid and "idle took 3 W before and 6 W after" in run.invalid[0]
