"""Checks over the real adb client, on a peer process that runs Android's shell and toybox."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from edgekit import meters
from edgekit.bundle.read import read
from edgekit.bundle.runtime import OWNS, TRUSTED
from edgekit.check import Options, check
from edgekit.contract.manifest import Manifest
from edgekit.devices import _push, adb, open_device
from edgekit.devices._remote import RemoteDevice
from edgekit.errors import DeviceError, ToolMissing
from edgekit.meters import pi5_pmic, thermal
from edgekit.results.metrics import Limit
from tests.device.device_bundle import ODD, build
from tests.peers.phone import COUNT, PIXEL_8, Phone, make_root

pytestmark = pytest.mark.device

FIXTURES = Path(__file__).parents[1] / "fixtures"

Bundle = tuple[Path, Manifest]


def device_of(phone: Phone) -> RemoteDevice:
    device = open_device(phone.address)
    assert isinstance(device, RemoteDevice)
    return device


def left(phone: Phone) -> list[str]:
    """What lies in edgekit's folder on the phone."""
    return sorted(path.name for path in phone.base.iterdir()) if phone.base.exists() else []


def send(phone: Phone, bundle: Bundle) -> int:
    """Open and close a session; returns the bytes that went to the phone."""
    phone.fault(cut=COUNT)
    with device_of(phone).session(*bundle):
        pass
    return phone.sent()


def answers(phone: Phone, bundle: Bundle) -> bool:
    """A session works from end to end."""
    with device_of(phone).session(*bundle) as session:
        return bool(session.act("identify", {}, timeout=60, tell=str)["device"]["cores"])


def test_a_phone_tells_what_it_is(plug_in: Callable[..., Phone], tmp_path: Path) -> None:
    root = tmp_path / "phone" / "root"
    make_root(root, props=PIXEL_8)
    phone = plug_in(root)
    found = device_of(phone).found()
    assert (found.state, found.next) == ("ready", "")
    expected = {"model": "Google Pixel 8", "os": "android", "os_version": "Android 15", "abi": "aarch64"}
    assert expected.items() <= found.facts.items()
    assert found.facts["soc"] == "Google Tensor G3" and found.facts["eps"] == ["cpu", "nnapi"]
    assert found.facts["evidence"] == "emulated" and found.facts["evidence_reasons"]


def test_attached_devices_are_listed(board: Phone) -> None:
    subprocess.run(["adb", "connect", board.serial], check=True, capture_output=True)
    by_address = {found.address: found for found in adb.attached()}
    assert by_address[board.address].state == "ready"
    assert by_address[board.address].facts["engines"]["onnxruntime"]
    subprocess.run(["adb", "disconnect", board.serial], check=True, capture_output=True)


def test_a_check_gives_goldens_and_no_verdict_on_speed(board: Phone, bundle: Bundle) -> None:
    options = Options(budgets={"latency_p50_ms": Limit(max=10_000)}, quick=True)
    report = check(bundle[0], device_of(board), options)
    assert report.goldens.passed and report.goldens.compared == 3
    assert report.device.evidence == "emulated"
    verdict = next(one for one in report.verdicts if one.metric == "latency_p50_ms")
    assert verdict.verdict == "not-measured" and verdict.value is not None
    assert left(board) == ["bundles"]


def test_only_what_changed_is_sent(board: Phone, bundle: Bundle, tmp_path: Path) -> None:
    first, again = send(board, bundle), send(board, bundle)
    build(tmp_path / "other", seed=1)
    other = tmp_path / "other", read(tmp_path / "other")
    changed = send(board, other)
    weights = 2**20
    assert first > 2 * weights and again < 100_000
    assert weights < changed < 1.5 * weights
    assert answers(board, other) and answers(board, bundle)


def test_paths_with_spaces_and_umlauts_survive(board: Phone, bundle: Bundle) -> None:
    send(board, bundle)
    (there,) = board.base.glob(f"bundles/*/{ODD}")
    assert there.read_bytes() == (bundle[0] / ODD).read_bytes()


def test_a_kept_file_that_was_touched_is_proven_or_sent_again(board: Phone, bundle: Bundle) -> None:
    send(board, bundle)
    (there,) = board.base.glob(f"bundles/*/{ODD}")
    os.utime(there)
    assert send(board, bundle) < 100_000  # its hash was right
    content = there.read_bytes()
    there.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert send(board, bundle) > 2**20
    assert there.read_bytes() == content


def test_two_bundles_can_take_turns(board: Phone, bundle: Bundle, misbehaving: Bundle) -> None:
    device = device_of(board)
    with device.session(*bundle) as one, device.session(*misbehaving, trust=True) as two:
        assert one.act("identify", {}, timeout=60, tell=str)["device"]
        assert two.act("noise", {}, timeout=60, tell=str) == {"answer": 42}
        assert one.act("load", {"evict": False}, timeout=60, tell=str)["kind"] == "tensor"
    assert left(board) == ["bundles"]


def test_clean_removes_everything(board: Phone, bundle: Bundle) -> None:
    send(board, bundle)
    assert device_of(board).clean() > 2000
    assert left(board) == []
    assert not board.base.exists()


def test_progress_comes_while_the_runtime_works(board: Phone, misbehaving: Bundle) -> None:
    told: list[str] = []
    with (
        device_of(board).session(*misbehaving, trust=True) as session,
        pytest.raises(DeviceError, match="did not end within 1 s and was stopped there"),
    ):
        session.act("hang", {}, timeout=1, tell=told.append)
    assert told == ["begun"]


def test_a_strange_runtime_is_not_sent_without_trust(board: Phone, misbehaving: Bundle) -> None:
    """edgekit's own runs the bundle instead."""
    with device_of(board).session(*misbehaving) as session:
        assert session.runtime == OWNS
        assert session.act("load", {"evict": False}, timeout=60, tell=str)["kind"] == "tensor"
        sent = [path.parent.name for path in board.base.rglob("__main__.py")]
    assert sent == ["edgekit_runtime"] and not list(board.base.rglob("runtime/python/*"))
    with device_of(board).session(*misbehaving, trust=True) as session:
        assert session.runtime == TRUSTED and session.act("noise", {}, timeout=60, tell=str) == {"answer": 42}


def test_a_phone_without_a_runner_names_the_line_that_builds_it(
    plug_in: Callable[..., Phone], tmp_path: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "phone" / "root"
    make_root(root, props=PIXEL_8)
    phone = plug_in(root)

    def none(os: str, abi: str) -> Path:
        raise ToolMissing(f"there is no edgekit-runner for {os} {abi}", next="cmake ...")

    monkeypatch.setattr("edgekit.devices._runner.find_runner", none)
    with (
        pytest.raises(ToolMissing, match="no edgekit-runner for android aarch64"),
        device_of(phone).session(*bundle),
    ):
        raise AssertionError("a session was opened")
    assert left(phone) == []


# Faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tenth", [pytest.param(tenth, marks=() if tenth in (0, 4, 9) else pytest.mark.nightly) for tenth in range(10)]
)
def test_a_connection_that_is_cut(board: Phone, bundle: Bundle, tenth: int) -> None:
    """Ten points from the first question (the greeting has 200 bytes) to the end of the bundle's second weight."""
    board.fault(cut=600 + tenth * 240_000)
    with pytest.raises(DeviceError) as caught, device_of(board).session(*bundle):
        raise AssertionError("a session was opened over a cut connection")
    assert caught.value.next
    board.fault(cut=COUNT)
    assert answers(board, bundle)
    if tenth > 5:  # the first weight had arrived and is not sent again
        assert board.sent() < 1.6 * 2**20
    assert left(board) == ["bundles"]


def test_a_file_that_is_cut_goes_on_where_it_ended(
    board: Phone, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_push, "PIECE", 300_000)
    board.fault(cut=1_000_000)
    with pytest.raises(DeviceError), device_of(board).session(*bundle):
        raise AssertionError("a session was opened over a cut connection")
    (part,) = (path for path in (board.base / "parts").iterdir() if path.stat().st_size > _push.SMALL)
    arrived = part.stat().st_size
    assert 300_000 <= arrived < 2**20
    small = sum(file.size for file in bundle[1].files if file.size < 2**20)
    runtime = sum(file.size for file in bundle[1].files if file.role == "runtime")  # edgekit's own goes there as well
    assert send(board, bundle) < 2 * 2**20 - arrived + small + runtime + 50_000


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("noticed", ["before", "while writing"])
def test_a_full_device(
    need_root: None, board: Phone, bundle: Bundle, noticed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = board.root / "data/local/tmp"
    if noticed == "while writing":  # as when something else fills it after the question for free space
        monkeypatch.setattr(_push, "RESERVE", -(10**7))
    with small_disk(disk, "1500k"):
        with pytest.raises(DeviceError, match="is full") as caught, device_of(board).session(*bundle):
            raise AssertionError("a session was opened on a full device")
        assert "edgekit devices clean" in caught.value.next
        assert sum(path.stat().st_size for path in disk.rglob("*") if path.is_file()) < 50_000
        subprocess.run(["mount", "-o", "remount,size=60m", disk], check=True)
        assert answers(board, bundle)


def test_a_device_that_is_filled_during_a_session(need_root: None, board: Phone, misbehaving: Bundle) -> None:
    with (
        small_disk(board.root / "data/local/tmp", "40m"),
        device_of(board).session(*misbehaving, trust=True) as session,
    ):
        filler = board.root / "data/local/tmp/somebody else's"
        for action in ("fill", "noise"):  # the runtime finds no room, then edgekit itself
            with pytest.raises(DeviceError, match="is full"):
                session.act(action, {"file": str(filler)}, timeout=60, tell=str)
        filler.unlink()
        assert session.act("noise", {}, timeout=60, tell=str) == {"answer": 42}


def test_older_bundles_make_room(
    need_root: None, board: Phone, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_push, "RESERVE", 100_000)
    build(tmp_path / "other", seed=1)
    with small_disk(board.root / "data/local/tmp", "3500k"):
        send(board, bundle)
        assert answers(board, (tmp_path / "other", read(tmp_path / "other")))
        assert len(list((board.base / "bundles").glob("*/edgekit.json"))) == 1  # beside edgekit's own runtime


def test_a_changed_byte_is_noticed_and_sent_again(board: Phone, bundle: Bundle) -> None:
    board.fault(flip=900_000, cut=COUNT)
    with device_of(board).session(*bundle):
        pass
    assert board.sent() > 3 * 2**20  # one weight went twice
    (there,) = board.base.glob(f"bundles/*/{ODD}")
    assert there.read_bytes() == (bundle[0] / ODD).read_bytes()


def test_a_line_that_changes_everything(board: Phone, bundle: Bundle) -> None:
    board.fault(flip_large=1000)
    with (
        pytest.raises(DeviceError, match=r"arrived changed .* twice|failed"),
        device_of(board).session(*bundle),
    ):
        raise AssertionError("a session was opened over a lying connection")
    board.fault()
    assert answers(board, bundle) and left(board) == ["bundles"]


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("die", "was killed"),
        ("raise", "stopped without a result .exit 1.: ValueError: the reason"),
        ("garbage", "left an outcome that cannot be read"),
        ("hang", "did not end within 1 s"),
    ],
)
def test_a_runtime_that_goes_wrong(board: Phone, misbehaving: Bundle, action: str, message: str) -> None:
    with device_of(board).session(*misbehaving, trust=True) as session:
        with pytest.raises(DeviceError, match=message) as caught:
            session.act(action, {}, timeout=1 if action == "hang" else 60, tell=str)
        assert caught.value.next and caught.value.exit_code == 8
        assert session.act("noise", {}, timeout=60, tell=str) == {"answer": 42}
        assert list((board.base / "jobs").iterdir()) == []
    assert left(board) == ["bundles"]


def test_garbage_instead_of_a_shell(board: Phone, bundle: Bundle) -> None:
    board.fault(garbage="\x1b[2JWelcome! Choose: 1) shell 2) menu")
    with (
        pytest.raises(DeviceError, match=r"no shell's answer: '.*Welcome"),
        device_of(board).session(*bundle),
    ):
        raise AssertionError("a session was opened with a menu")
    assert answers(board, bundle)


def test_a_phone_that_vanishes_takes_the_runtime_with_it(
    board: Phone, misbehaving: Bundle, plug_in: Callable[..., Phone], gone: Callable[[int], bool]
) -> None:
    with device_of(board).session(*misbehaving, trust=True) as session:
        pids: list[int] = []

        def pull_the_plug(text: str) -> None:
            pids.extend(int(path.read_text()) for path in board.base.glob("jobs/*/pid"))
            board.vanish()

        with pytest.raises(DeviceError) as caught:
            session.act("hang", {}, timeout=300, tell=pull_the_plug)
        assert caught.value.next
    assert pids and all(map(gone, pids))
    again = plug_in(board.root, port=board.port)
    assert answers_misbehaving(again, misbehaving)
    assert left(again) == ["bundles"]


def answers_misbehaving(phone: Phone, bundle: Bundle) -> bool:
    with device_of(phone).session(*bundle, trust=True) as session:
        return session.act("noise", {}, timeout=60, tell=str) == {"answer": 42}


def test_a_phone_that_hangs(board: Phone) -> None:
    with device_of(board).shell() as shell:
        board.freeze()
        with pytest.raises(DeviceError, match="did not answer within 1 s"):
            shell.run("true", timeout=1)
        board.thaw()
        assert shell.run("echo back").text == "back\n"


def test_a_phone_that_is_not_there(use_adb: None) -> None:
    for address, message in (("adb:R5CT1234", "is not attached"), ("adb:127.0.0.1:1", "cannot be reached")):
        with pytest.raises(DeviceError, match=message) as caught, open_device(address).shell():  # type: ignore[attr-defined]
            raise AssertionError("a shell was opened")
        assert caught.value.next


def test_without_adb_the_line_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="adb is not installed") as caught:
        adb.attached()
    assert "apt-get install adb" in caught.value.next


# The lock --------------------------------------------------------------------------------------------------------


def test_a_second_client_is_refused(
    board: Phone, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with device_of(board).session(*bundle):
        with pytest.raises(DeviceError, match="another check is running on adb:"), device_of(board).session(*bundle):
            raise AssertionError("two sessions from one machine")
        monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "somebody else's"))  # as another machine would
        with pytest.raises(DeviceError, match=r"is in use by .* since") as caught, device_of(board).session(*bundle):
            raise AssertionError("two sessions from two machines")
        assert caught.value.exit_code == 8 and "taken over in" in caught.value.next
    assert answers(board, bundle)


def lock(phone: Phone, owner: str, since: int, until: int) -> None:
    folder = phone.base / "lock"
    folder.mkdir(parents=True)
    (folder / "held").write_text(f"{owner} {since} {until}\n")


def now() -> int:
    return int(subprocess.run(["date", "+%s"], capture_output=True, text=True, check=True).stdout)


def test_a_stale_lock_is_taken_over_and_no_strange_process_is_touched(board: Phone, bundle: Bundle) -> None:
    lock(board, "ann@elsewhere", now() - 5000, now() - 4000)
    job = board.base / "jobs/1-dead"
    job.mkdir(parents=True)
    with subprocess.Popen(["sleep", "300"]) as other:  # it has got the id of a job that ended
        try:
            (job / "pid").write_text(f"{other.pid}\n")
            assert answers(board, bundle)
            assert other.poll() is None
        finally:
            other.kill()
    assert left(board) == ["bundles"]


def test_a_lock_whose_job_still_runs_is_kept(board: Phone, bundle: Bundle) -> None:
    lock(board, "ann@elsewhere", now() - 5000, now() - 4000)
    with a_job(board):
        for _ in range(2):
            with pytest.raises(DeviceError, match="in use by ann@elsewhere"), device_of(board).session(*bundle):
                raise AssertionError("a running check was disturbed")
            # the device's clock has gone back: the lock's end is far away, and its job still counts
            (board.base / "lock/held").write_text(f"ann@elsewhere {now() + 10**6} {now() + 2 * 10**6}\n")
    assert answers(board, bundle)
    assert left(board) == ["bundles"]


def test_what_this_client_left_running_is_ended(board: Phone, bundle: Bundle, gone: Callable[[int], bool]) -> None:
    """edgekit was killed: its lock on the device is its own, so the next session takes it, jobs and all."""
    with device_of(board).session(*bundle):
        owner = (board.base / "lock/held").read_text().split()[0]
    lock(board, owner, now(), now() + 100)
    with a_job(board) as pid:
        assert answers(board, bundle)
        assert gone(pid)
    assert left(board) == ["bundles"]


@contextmanager
def a_job(phone: Phone) -> Iterator[int]:
    """A process as a session starts it, in a folder of its own."""
    job = phone.base / "jobs/1-alive"
    job.mkdir(parents=True)
    command = ["sh", "-c", "sleep 300; true", f"{job}/request.json"]
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            (job / "pid").write_text(f"{process.pid}\n")
            yield process.pid
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_a_lock_that_was_lost_ends_the_session(board: Phone, bundle: Bundle) -> None:
    with (
        pytest.raises(DeviceError, match="was taken by another check"),
        device_of(board).session(*bundle) as session,
    ):
        (board.base / "lock/held").write_text(f"ann@elsewhere {now()} {now() + 100}\n")
        session.act("identify", {}, timeout=60, tell=str)
    assert (board.base / "lock/held").read_text().startswith("ann@elsewhere")


# The reader of meters --------------------------------------------------------------------------------------------


def test_files_and_programs_are_read(board: Phone) -> None:
    reader = device_of(board).reader()
    odd = board.root / "ein Wert"
    odd.write_text("12\n13\n")
    assert reader.text(str(odd)) == "12\n13"
    assert reader.run("printf", "%s|", "a b", "$HOME") == "a b|$HOME|"
    assert reader.run("cat", stdin="ü") == "ü"
    assert reader.find("/proc/self/stat*") == ["/proc/self/stat", "/proc/self/statm", "/proc/self/status"]
    with pytest.raises(FileNotFoundError):
        reader.text("/no/such/file")
    with pytest.raises(FileNotFoundError):
        reader.run("no-such-program")


def test_a_poll_reads_until_it_is_stopped(board: Phone) -> None:
    value = board.root / "value"
    value.write_text("1\n")
    poll = device_of(board).reader().poll([str(value), ("echo", "two\nlines"), "/no/such/file"], 60)
    value.write_text("2\n")
    readings = poll.stop()
    assert [reading.texts for reading in readings] == [("1", "two\nlines", None), ("2", "two\nlines", None)]
    assert readings[1].at_s >= readings[0].at_s > 0


def test_a_poll_takes_readings_by_itself(board: Phone) -> None:
    """At least four, a second apart; the limit only ends a test that has failed."""
    poll = device_of(board).reader().poll(["/proc/uptime"], 1)
    limit = time.monotonic() + 60
    while len(poll._readings()) < 3 and time.monotonic() < limit:  # type: ignore[attr-defined]
        time.sleep(0.1)
    times = [reading.at_s for reading in poll.stop()]
    assert len(times) >= 4 and times == sorted(times)


def test_a_poll_of_a_phone_that_vanishes(board: Phone) -> None:
    poll = device_of(board).reader().poll(["/proc/uptime"], 60)
    board.vanish()
    with pytest.raises(DeviceError, match="while a meter was read"):
        poll.stop()


def test_a_meter_reads_through_the_line(plug_in: Callable[..., Phone], tmp_path: Path) -> None:
    """A Raspberry Pi's power chip, whose answer is always the same: its joules are watts times the time."""
    root = tmp_path / "pi" / "root"
    answer = (FIXTURES / "meters/pi5/load.txt").read_text()
    make_root(root, programs={"vcgencmd": f"#!/bin/sh\ncat <<'END'\n{answer}END\n"})
    reader = device_of(plug_in(root)).reader()
    there, missing = meters.find(reader)
    (pmic,) = there
    assert pmic.name.startswith("Raspberry Pi 5") and all(one.reason for one in missing.values())
    pmic.start()
    found = pmic.stop()
    watts = 1.1451 * sum(pi5_pmic.rails(answer).values()) + 0.5879
    assert found.seconds > 0 and found.joules == pytest.approx(watts * found.seconds, rel=0.01)
    assert found.state == "invalid" and "needs 10 s" in found.invalid[0]


def test_a_machine_without_a_sensor_says_so(board: Phone) -> None:
    there, missing = meters.find(device_of(board).reader())
    assert set(missing) | {one.name for one in there} and len(there) + len(missing) == len(meters.meters())
    assert missing["android_battery"].reason == "this is no Android device (it has no dumpsys)"
    assert thermal.look(device_of(board).reader()).status is None
