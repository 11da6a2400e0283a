"""Checks through `xcrun devicectl`: a program that answers as it does, since there is no Mac and no iPhone here.

The app is the sample app's own C++ core, built for this machine. edgekit's side and the check mode are shown to be
whole; this says nothing about a real iPhone.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edgekit.check import Options, check
from edgekit.contract.manifest import Manifest
from edgekit.devices import ios, open_device
from edgekit.errors import DeviceError, ToolMissing, UsageError
from tests.peers import iphone

pytestmark = pytest.mark.device

Bundle = tuple[Path, Manifest]
ADDRESS = f"ios:{iphone.UDID}"


@pytest.fixture
def phone(tmp_path: Path, runner: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "an iPhöne"
    iphone.make(folder, tmp_path / "bin", runner)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return folder


def jobs(phone: Path) -> list[Path]:
    """Files of jobs that are left, but for the answer to the last request to remove them."""
    found = (phone / "container/Documents/edgekit/jobs").rglob("*")
    return [path for path in found if path.is_file() and path.name != "outcome.json"]


def test_a_phone_tells_what_it_is(phone: Path) -> None:
    (found,) = ios.attached()
    assert (found.address, found.state) == (ADDRESS, "ready")
    expected = {"model": "iPhone 15", "os_version": "iOS 18.1", "abi": "aarch64", "evidence": "device"}
    assert expected.items() <= found.facts.items()


@pytest.mark.parametrize(
    ("table", "key", "value", "state"),
    [
        ("connectionProperties", "pairingState", "unpaired", "not paired"),
        ("connectionProperties", "tunnelState", "unavailable", "not reachable"),
        ("deviceProperties", "developerModeStatus", "disabled", "developer mode is off"),
    ],
)
def test_what_is_in_the_way_is_said(phone: Path, bundle: Bundle, table: str, key: str, value: str, state: str) -> None:
    device = json.loads(json.dumps(iphone.DEVICE))
    device[table][key] = value
    (phone / "devices.json").write_text(json.dumps({"result": {"devices": [device]}}))
    (found,) = ios.attached()
    assert state in found.state and found.next
    with pytest.raises(DeviceError, match=state), open_device(ADDRESS).session(*bundle):
        raise AssertionError("a session was opened")


def test_a_bundle_is_sent_once_and_answers(phone: Path, bundle: Bundle) -> None:
    device = open_device(ADDRESS)
    for _ in range(2):
        with device.session(*bundle) as session:
            assert session.act("load", {"evict": False}, timeout=60, tell=str)["kind"] == "tensor"
    (tree,) = (phone / "container/Documents/edgekit/bundles").iterdir()
    assert {path.name for path in tree.iterdir()} == {"edgekit.json", "model", "check"}
    assert jobs(phone) == []
    assert device.evidence({}) == "device"


def test_a_check_in_the_app(phone: Path, bundle: Bundle) -> None:
    report = check(bundle[0], open_device(ADDRESS), Options(quick=True))
    assert report.goldens.passed and report.goldens.compared == 3
    assert report.device.evidence == "device"  # devicectl tells that, and nothing else here is one
    assert jobs(phone) == []


def test_the_app_keeps_to_its_container(phone: Path, bundle: Bundle, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "photo.jpg").write_bytes(b"dear")
    home = phone / "container/Documents/edgekit"
    with open_device(ADDRESS).session(*bundle) as session:
        (home / "way out").symlink_to(outside)
        for folder in ("../../..", str(outside), f"{ios.HOME}/way out", f"{ios.HOME}/jobs/../../../..", "Documents/.."):
            with pytest.raises(UsageError, match="not inside the app's container"):
                session.act("remove", {"folder": folder}, timeout=60, tell=str)
        assert "way out/photo.jpg" not in session.act("hash", {"folder": ios.HOME}, timeout=60, tell=str)["sha256"]
    assert open_device(ADDRESS).clean() == 0
    assert [path.name for path in home.rglob("*") if path.is_file()] == ["outcome.json"]
    assert (outside / "photo.jpg").read_bytes() == b"dear"


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("flip", DeviceError, "arrived changed"),
        ("full", DeviceError, "is full"),
        ("not-installed", ToolMissing, "sample app dev.edgekit.sample is not installed"),
    ],
)
def test_faults_before_anything_runs(
    phone: Path, bundle: Bundle, fault: str, error: type[DeviceError], message: str
) -> None:
    (phone / fault).touch()
    with pytest.raises(error, match=message) as caught, open_device(ADDRESS).session(*bundle):
        raise AssertionError("a session was opened")
    assert caught.value.next
    (phone / fault).unlink()
    with open_device(ADDRESS).session(*bundle) as session:
        assert session.act("identify", {}, timeout=60, tell=str)["device"]


def test_faults_while_it_runs(phone: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ios, "GRACE_S", 0.0)
    with open_device(ADDRESS).session(*bundle) as session:
        (phone / "crash").touch()
        with pytest.raises(DeviceError, match=r"stopped without a result: .*signal 9"):
            session.act("identify", {}, timeout=60, tell=str)
        (phone / "crash").unlink()
        (phone / "hang").touch()
        with pytest.raises(DeviceError, match="did not end within 1 s"):
            session.act("identify", {}, timeout=1, tell=str)
        (phone / "hang").unlink()
        monkeypatch.setattr(ios, "GRACE_S", 20.0)
    assert jobs(phone) == []


def test_elsewhere_a_mac_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle: Bundle) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for call in (ios.attached, lambda: open_device(ADDRESS).session(*bundle).__enter__()):
        with pytest.raises(ToolMissing, match="xcrun is not installed") as caught:
            call()
        assert "from a Mac" in caught.value.next
