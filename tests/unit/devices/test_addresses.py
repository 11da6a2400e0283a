"""Addresses, adb's lists, what ssh and adb complain about, and how scripts are quoted: all without a device."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.devices import adb, open_device, ssh
from edgekit.errors import UsageError

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
    assert {"offline", "unauthorized", "no permissions"} <= set(adb.STATES)
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
    error = ssh._explain("ssh:me@host", "host", [], words)
    assert error is not None and cause in error.message and error.next
    assert ssh._explain("ssh:me@host", "host", [], "something else") is None


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
