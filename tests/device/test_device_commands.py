"""edgekit devices and edgekit doctor, as a user types them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit.commands import main
from edgekit.contract.manifest import Manifest
from edgekit.devices import open_device
from tests.peers.phone import PIXEL_8, Phone, make_root
from tests.peers.ssh_host import Host

pytestmark = pytest.mark.device

Bundle = tuple[Path, Manifest]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """ask("devices", "list") -> the JSON document of that command line."""

    def run(*words: str) -> dict[str, Any]:
        capsys.readouterr()
        code = main([*words, "--json", "-q"])
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert document["exit_code"] == code
        return document

    return run


def findings(document: dict[str, Any], end: str) -> dict[str, dict[str, str]]:
    """The findings of a doctor at one end, by what was looked at; of several the first."""
    found: dict[str, dict[str, str]] = {}
    for one in document["data"]:
        if one["end"] == end:
            found.setdefault(one["what"], one)
    return found


def test_attached_devices_and_what_was_not_searched(board: Phone, ask: Callable[..., dict[str, Any]]) -> None:
    subprocess.run(["adb", "connect", board.serial], check=True, capture_output=True)
    data = ask("devices")["data"]
    found = {one["address"]: one for one in data["devices"]}
    assert {"local", board.address} <= set(found)
    assert found[board.address]["facts"]["abi"] == found["local"]["facts"]["abi"]
    assert "cpu" in found["local"]["facts"]["eps"]
    assert "from a Mac" in data["not_searched"]["ios"]["next"]
    subprocess.run(["adb", "disconnect", board.serial], check=True, capture_output=True)


def test_a_table_for_people(capsys: pytest.CaptureFixture[str], use_adb: None) -> None:
    assert main(["devices"]) == 0
    out = capsys.readouterr().out
    assert "local" in out and "ready" in out and "not searched: ios" in out


def test_one_device_in_full_and_one_that_is_not_there(board: Phone, ask: Callable[..., dict[str, Any]]) -> None:
    shown = ask("devices", "show", board.address)["data"]
    assert shown["state"] == "ready" and shown["facts"]["python"]["version"].startswith("3.")
    gone = ask("devices", "show", "adb:R5CT1234")
    assert gone["exit_code"] == 8 and "not attached" in gone["error"]["message"] and gone["error"]["next"]


def test_what_is_kept_on_a_device_is_removed(board: Phone, bundle: Bundle, ask: Callable[..., dict[str, Any]]) -> None:
    with open_device(board.address).session(*bundle):
        pass
    assert board.base.exists()
    assert ask("devices", "clean", board.address)["data"]["kilobytes"] > 2000
    assert not board.base.exists()
    assert ask("devices", "clean", "local")["exit_code"] == 2


def test_a_doctor_finds_nothing_in_the_way_of_a_linux_board(board: Phone, ask: Callable[..., dict[str, Any]]) -> None:
    document = ask("doctor", "--device", board.address, "--target", "linux-cpu")
    found = findings(document, "device")
    assert document["exit_code"] == 0
    assert found["runtime, onnx models"]["detail"].startswith("Python 3.")
    assert found["target linux-cpu"]["state"] == "ok" and found["free space"]["detail"].endswith("MB")
    assert found["evidence"]["state"] == "note" and found["power"]["next"]
    assert findings(document, "here")["adb"]["state"] == "ok"


def test_a_doctor_names_the_line_for_each_gap(
    plug_in: Callable[..., Phone], tmp_path: Path, ask: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))  # without a runner
    make_root(tmp_path / "phone" / "root", props=PIXEL_8)
    phone = plug_in(tmp_path / "phone" / "root")
    document = ask("doctor", "--device", phone.address, "--target", "linux-cpu")
    found = findings(document, "device")
    assert document["exit_code"] == 3  # the first of 3 (target) and 7 (no runner) in the order of the exit codes
    assert found["target linux-cpu"]["state"] == "gap" and "android-cpu" in found["target linux-cpu"]["next"]
    runtime = found["runtime, onnx models"]
    assert runtime["state"] == "gap" and "edgekit runner build" in runtime["next"]
    fitting = ask("doctor", "--device", phone.address, "--target", "android-cpu")
    assert fitting["exit_code"] == 7


def test_a_doctor_of_devices_that_cannot_be_reached(host: Host, ask: Callable[..., dict[str, Any]]) -> None:
    host.forget()
    document = ask("doctor", "--device", host.address)
    assert document["exit_code"] == 8
    assert findings(document, "device")[host.address]["next"].rpartition(": ")[2].startswith("ssh -l ")
    assert ask("doctor", "--device", "ios:00008110-000A1D0E3C82801E")["exit_code"] == 7
    assert ask("doctor", "--device", "adbb:1")["exit_code"] == 2
    assert ask("doctor", "--target", "linux-cpuu")["exit_code"] == 3
    assert ask("doctor", "--device", "local")["exit_code"] == 0
