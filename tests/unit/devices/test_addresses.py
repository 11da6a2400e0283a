"""Addresses, adb's lists, what ssh and adb complain about, and how scripts are quoted: all without a device."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.devices import _launch, _shell, adb, open_device, ssh, transports
from edgekit.errors import DeviceError, UsageError

pytestmark = pytest.mark.unit

# Two recordings of `adb devices -l`; see ORIGIN.md beside them.
FIXTURES = Path(__file__).parents[2] / "fixtures" / "devices"


@pytest.mark.parametrize(
    "address",
    [
        "local",
        "ssh:pi@raspberrypi",
        "ssh:raspberrypi.local",
        "ssh:me@10.0.0.7:2222",
        "ssh:me@[fe80::1%eth0]:22",
        "adb:R5CT1234",
        "adb:emulator-5554",
        "adb:192.168.1.20:5555",
        "adb:adb-R5CT-abcdef._adb-tls-connect._tcp",
        "ios:00008110-000A1D0E3C82801E",
    ],
)
def test_addresses_of_every_kind(address: str) -> None:
    assert open_device(address).address == address


@pytest.mark.parametrize(
    "address",
    [
        "local:1",
        "ssh:",
        "ssh:-oProxyCommand=true",
        "ssh:a@-b",
        "ssh:a@b:99999",
        "ssh:a@b:x",
        "ssh:a b@c",
        "adb:",
        "adb:a b",
        "adb:-s",
        "adb:x;reboot",
        "ios:",
        "ios:zzz",
        "ahdb:1",
        "",
    ],
)
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_device(address)
    assert caught.value.next


def test_every_transport_keeps_the_contract() -> None:
    found = transports()
    assert set(found) == {"local", "ssh", "adb", "ios"}
    for module in found.values():
        assert callable(module.open_device) and callable(module.attached)


def test_a_list_of_attached_devices() -> None:
    listed = {one.serial: one for one in adb.parse((FIXTURES / "adb-devices.txt").read_text())}
    assert {serial: one.state for serial, one in listed.items()} == {
        "emulator-5554": "device",
        "127.0.0.1:41209": "device",
        "KXS7N18B29000123": "unauthorized",
        "R58M12ABCDE": "offline",
        "0123456789ABCDEF": "no permissions",
    }
    assert listed["emulator-5554"].model == "Android SDK built for x86"
    assert adb.parse("* daemon not running; starting now at tcp:5037\n* daemon started successfully\n") == []
    assert adb.parse("List of devices attached\n\n") == []


def test_every_state_that_is_not_ready_has_a_next_step() -> None:
    for state, (cause, step) in adb.STATES.items():
        assert cause and step, state
    cause, step = adb._state(adb.Listed("R58M12ABCDE", "offline", ""))
    assert "R58M12ABCDE" in step


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("Host key verification failed.", "host key"),
        ("me@host: Permission denied (publickey).", "takes none of your keys"),
        ("ssh: Could not resolve hostname nowhere: Name or service not known", "no host named"),
        ("ssh: connect to host h port 22: Connection refused", "no ssh server"),
        ("ssh: connect to host h port 22: Connection timed out", "does not answer"),
    ],
)
def test_what_ssh_says_becomes_a_cause_and_a_step(words: str, cause: str) -> None:
    error = ssh._explain("ssh:me@host", "host", words)
    assert error is not None and cause in error.message and error.next
    assert ssh._explain("ssh:me@host", "host", "something else") is None


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("adb: device 'R5CT1234' not found", "has gone"),
        ("error: device 'R5CT1234' not found", "has gone"),
        ("error: device offline", "has gone"),
        ("error: closed", "has gone"),
        ("error: device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set", "not allowed yet"),
        ("error: cannot connect to daemon", "server does not start"),
    ],
)
def test_what_adb_says_becomes_a_cause_and_a_step(words: str, cause: str) -> None:
    error = adb._explain("adb:R5CT1234", words)
    assert error is not None and cause in error.message and error.next


def shell(*argv: str) -> _shell.Shell:
    """A shell on this machine, reached by a program that may get in the way."""
    return _shell.Shell("here", lambda script: [*argv, script], lambda stderr: None)


def test_answers_are_what_stands_between_the_marks() -> None:
    here = shell("sh", "-c")
    assert here.run("printf 'a\\nb'; exit 7") == _shell.Answer("a\nb", 7, "")
    noisy = _shell.Shell("here", lambda script: ["sh", "-c", f"echo Welcome!; {script}; echo bye"], lambda stderr: None)
    assert noisy.run("echo x").text == "x\n"
    assert here.run("cat", stdin="ü\0".encode()).text == "ü\0"


def test_an_answer_that_ends_early_is_a_lost_connection(tmp_path: Path) -> None:
    cut = _shell.Shell("here", lambda script: ["sh", "-c", f"({script}) | head -c 30"], lambda stderr: None)
    with pytest.raises(DeviceError, match="the connection to here was lost"):
        cut.run("echo 123456789012345678901234567890")
    with pytest.raises(DeviceError, match="no shell's answer: 'nonsense'"):
        shell("sh", "-c", "echo nonsense").run("true")
    with pytest.raises(DeviceError, match="did not answer within 1 s"):
        shell("sh", "-c").run("sleep 100", timeout=1)


def test_failures_have_their_cause(tmp_path: Path) -> None:
    here = shell("sh", "-c")
    with pytest.raises(DeviceError, match=r"looking failed .exit 3.: last words"):
        here.must("echo first; echo last words >&2; exit 3", "looking")
    with pytest.raises(DeviceError, match="is full: no space left while writing") as caught:
        here.must("echo 'sh: write error: No space left on device' >&2; exit 1", "writing")
    assert "edgekit devices clean" in caught.value.next


def test_files_are_pulled_whole_or_not_at_all(tmp_path: Path) -> None:
    content = bytes(range(256)) * 1000
    (tmp_path / "a file").write_bytes(content)
    assert shell("sh", "-c").pull(str(tmp_path / "a file")) == content
    assert shell("sh", "-c").pull(str(tmp_path / "none")) is None
    lying = _shell.Shell(
        "here", lambda script: ["sh", "-c", script.replace("base64 <", "echo AAAA; true <")], lambda e: None
    )
    with pytest.raises(DeviceError, match="arrived changed"):
        lying.pull(str(tmp_path / "a file"))


def test_a_launched_program_is_watched(tmp_path: Path) -> None:
    told: list[object] = []
    here = shell("sh", "-c")
    ended = _launch.launch(
        here,
        str(tmp_path),
        ["sh", "-c", 'echo "{\\"event\\": \\"x\\"}"; echo noise; exit 4'],
        {"A": "b c"},
        timeout=60,
        on_event=told.append,
    )
    assert ended == _launch.Ended(4, "itself") and told == [{"event": "x"}]
    with pytest.raises(DeviceError, match="did not end within 1 s and was stopped"):
        _launch.launch(here, str(tmp_path), ["sleep", "600"], {}, timeout=1, on_event=told.append)
    pid = int((tmp_path / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()
    _launch.launch(here, str(tmp_path), ["sh", "-c", 'echo "$A" >&2'], {"A": "b c"}, timeout=60, on_event=told.append)
    assert (tmp_path / "log.txt").read_text() == "b c\n"
