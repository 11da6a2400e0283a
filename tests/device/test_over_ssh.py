"""Checks over the system's ssh client, on a real sshd with throw-away keys."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.check import Options, check
from edgekit.commands._bundle import unchanged
from edgekit.contract.manifest import Manifest
from edgekit.devices import open_device, ssh
from edgekit.devices._remote import RemoteDevice
from edgekit.devices.local import LocalSession
from edgekit.errors import BundleError, DeviceError, ToolMissing
from tests.peers.ssh_host import Host, ssh_host

pytestmark = pytest.mark.device

Bundle = tuple[Path, Manifest]


def device_of(host: Host) -> RemoteDevice:
    device = open_device(host.address)
    assert isinstance(device, RemoteDevice)
    return device


def left(host: Host) -> list[str]:
    return sorted(path.name for path in host.base.iterdir()) if host.base.exists() else []


def test_a_machine_tells_what_it_is(host: Host) -> None:
    found = device_of(host).found()
    assert (found.state, found.next, found.facts["os"]) == ("ready", "", "linux")
    assert found.facts["engines"]["onnxruntime"] and "cpu" in found.facts["eps"]
    assert found.facts["ram_mb"] > 100 and found.facts["abi"] in ("x86_64", "aarch64")
    assert found.facts["evidence"] in ("device", "emulated") and found.facts["evidence_reasons"]


def test_a_check_gives_the_same_goldens_as_here(
    host: Host, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))  # its locks are of these tests alone
    there = check(bundle[0], device_of(host), Options(quick=True))
    here = check(bundle[0], open_device("local"), Options(quick=True))
    assert there.goldens == here.goldens and there.goldens.passed
    assert set(there.raw) == set(here.raw) and {one.metric for one in there.measurements} == {
        one.metric for one in here.measurements
    }
    assert left(host) == ["bundles"]
    assert device_of(host).clean() > 2000 and left(host) == []


def test_files_of_a_request_go_there_and_come_back(host: Host, bundle: Bundle, tmp_path: Path) -> None:
    import numpy as np

    feed = {"0.x": np.ones((1, 512), dtype=np.float32)}
    np.savez(tmp_path / "feed.npz", **feed)  # type: ignore[arg-type]
    with device_of(host).session(*bundle) as session:
        request = {"inputs": str(tmp_path / "feed.npz"), "outputs": str(tmp_path / "answer.npz")}
        assert session.act("tensors", request, timeout=60, tell=str)["latency_ms"]
    assert np.load(tmp_path / "answer.npz")["0.y"].shape == (1, 512)


def test_an_unknown_host_key_is_not_accepted(host: Host) -> None:
    host.forget()
    found = device_of(host).found()
    assert "host key" in found.state and re.search(r"ssh -l .* 127\.0\.0\.1$", found.next)


def test_a_changed_host_key_is_not_accepted(host: Host) -> None:
    host.mistake()
    with pytest.raises(DeviceError) as caught, device_of(host).shell() as shell:
        shell.run("true")
    place = "'[127.0.0.1]:" + host.address.rpartition(":")[2] + "'"
    assert "another than before" in caught.value.message and f"ssh-keygen -R {place}," in caught.value.next


@pytest.mark.parametrize(
    "clock", [pytest.param("@100", marks=pytest.mark.nightly), "@$(($(cat tick) * 7200 + 1700000000))"]
)
def test_a_wrong_clock(sshd: Path, tmp_path: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, clock: str) -> None:
    """It stands in 1970, or jumps back by hours each time it is read."""
    date = tmp_path / "programs" / "date"
    date.parent.mkdir()
    (date.parent / "tick").write_text("900")
    count = "echo $(($(cat tick) - 1)) > tick"
    date.write_text(f'#!/bin/sh\ncd {date.parent}\n{count}\nexec /bin/date -d "{clock}" "$@"\n')
    date.chmod(0o755)
    env = {"EDGEKIT_PYTHON": sys.executable, "PATH": f"{date.parent}:/usr/bin:/bin"}
    (tmp_path / "sshd").mkdir()
    with ssh_host(sshd, tmp_path / "sshd", env=env) as late:
        for name, value in late.env.items():
            monkeypatch.setenv(name, value)
        for _ in range(2):
            with device_of(late).session(*bundle) as session:
                assert session.act("identify", {}, timeout=60, tell=str)["device"]["os"] == "linux"
        assert left(late) == ["bundles"] and (date.parent / "tick").read_text() < "900"


def test_a_folder_that_executes_nothing(
    need_root: None, host: Host, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device's own Python needs none of it; edgekit-runner does."""
    runner = tmp_path / "edgekit-runner"
    runner.write_text("#!/bin/sh\nexit 0\n")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "noexec,size=40m", "noexec", host.home], check=True)
    try:
        with device_of(host).session(*bundle) as session:
            assert session.act("identify", {}, timeout=60, tell=str)["device"]["os"] == "linux"
        monkeypatch.setattr("edgekit.devices._runner.find_runner", lambda os, abi: runner)
        monkeypatch.setattr("edgekit.devices._facts.PYTHONS", ("no-such-python",))
        with (
            device_of(host).session(*bundle) as session,
            pytest.raises(DeviceError, match="noexec") as caught,
        ):
            session.act("identify", {}, timeout=60, tell=str)
        assert "engines for its Python" in caught.value.next
    finally:
        subprocess.run(["umount", host.home], check=True)


def test_a_key_that_is_not_taken(host: Host) -> None:
    (host.folder / "authorized_keys").write_text("")
    found = device_of(host).found()
    assert "takes none of your keys" in found.state and "ssh-copy-id" in found.next


def test_a_port_where_nobody_listens(host: Host) -> None:
    found = open_device(re.sub(r"\d+$", "1", host.address)).found()  # type: ignore[attr-defined]
    assert "no ssh server on this port" in found.state


def test_a_connection_that_is_cut_takes_the_runtime_with_it(
    host: Host, misbehaving: Bundle, gone: Callable[[int], bool]
) -> None:
    pids: list[int] = []

    def cut(text: str) -> None:
        pids.extend(int(path.read_text()) for path in host.base.glob("jobs/*/pid"))
        host.cut()

    with (
        device_of(host).session(*misbehaving, trust=True) as session,
        pytest.raises(DeviceError, match=r"connection to ssh:.* was lost") as caught,
    ):
        session.act("hang", {}, timeout=300, tell=cut)
    assert caught.value.next and pids and all(map(gone, pids))
    with device_of(host).session(*misbehaving, trust=True) as session:
        assert session.act("noise", {}, timeout=60, tell=str) == {"answer": 42}
    assert left(host) == ["bundles"]


def test_a_process_that_hangs_is_ended_there(host: Host, misbehaving: Bundle, gone: Callable[[int], bool]) -> None:
    pids: list[int] = []

    def look(text: str) -> None:
        pids.extend(int(path.read_text()) for path in host.base.glob("jobs/*/pid"))

    with (
        device_of(host).session(*misbehaving, trust=True) as session,
        pytest.raises(DeviceError, match="did not end within 1 s"),
    ):
        session.act("hang", {}, timeout=1, tell=look)
    assert pids and all(map(gone, pids)) and left(host) == ["bundles"]


def test_the_runtime_has_its_own_environment(host: Host, misbehaving: Bundle) -> None:
    with device_of(host).session(*misbehaving, trust=True) as session:
        first, second = (session.act("where", {}, timeout=60, tell=str) for _ in range(2))
    assert first["telemetry"] == "1" and "/jobs/1-" in first["cwd"]
    assert first["pid"] != second["pid"]


def test_a_second_client_is_refused(
    host: Host, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with device_of(host).session(*bundle):
        monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "another"))
        with pytest.raises(DeviceError, match=r"is in use by .* since"), device_of(host).session(*bundle):
            raise AssertionError("two sessions from two machines")


def test_a_machine_without_the_engines_names_both_lines(
    tmp_path: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, host: Host
) -> None:
    def none(os: str, abi: str) -> Path:
        raise ToolMissing(f"there is no edgekit-runner for {os} {abi}", next="cmake -B build")

    monkeypatch.setattr("edgekit.devices._runner.find_runner", none)
    monkeypatch.setattr("edgekit.devices._facts.PYTHONS", ("no-such-python",))
    with pytest.raises(ToolMissing, match="the device has no Python") as caught, device_of(host).session(*bundle):
        raise AssertionError("a session was opened")
    assert "-m venv" in caught.value.next and "cmake -B build" in caught.value.next


def test_a_shell_that_talks_before_it_obeys(
    need_tool: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sshd: Path
) -> None:
    """A greeting in a login script comes before the answer and is not taken for it."""
    (tmp_path / "noisy").mkdir()
    (tmp_path / "noise").write_text("echo Welcome; echo warning >&2\n")
    with ssh_host(sshd, tmp_path / "noisy", env={"BASH_ENV": str(tmp_path / "noise")}) as noisy:
        for name, value in noisy.env.items():
            monkeypatch.setenv(name, value)
        with device_of(noisy).shell() as shell:
            answer = shell.run("printf '%s\\n' 'ü \"$HOME\" %n'; exit 3")
    assert (answer.text, answer.code) == ('ü "$HOME" %n\n', 3)


def test_files_and_programs_are_read(host: Host) -> None:
    reader = device_of(host).reader()
    assert reader.text("/proc/version").startswith("Linux")
    poll = reader.poll(["/proc/uptime", ("cat", "/proc/version")], 60)
    readings = poll.stop()
    assert len(readings) == 2 and readings[0].texts[1] == reader.text("/proc/version")


def test_a_network_is_not_searched() -> None:
    assert ssh.attached() == []


@pytest.mark.parametrize("program", ["sh", "bash", "mksh", "zsh", "fish"])
def test_a_script_means_the_same_to_every_login_shell(need_tool: Callable[[str], Path], program: str) -> None:
    """sshd hands the whole command line to the login shell, whatever that is."""
    script = "printf '%s|' \"a  b\" 'it''s' \"$((1 + 1))\" 'ü $HOME `x` !'; exit 5"
    argv = [need_tool(program), "-c", f"exec sh -c {ssh._quoted(script)}"]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("a  b|its|2|ü $HOME `x` !|", 5)


@pytest.mark.parametrize("back", [False, True], ids=["swapped", "swapped and put back"])
def test_what_ran_is_what_was_verified(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, back: bool
) -> None:
    """A model that is another while it is run, of the same size and date, ends the check."""
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    copy = tmp_path / "bundle"
    shutil.copytree(bundle[0], copy)
    model = copy / "model/portable/model.onnx"

    def swapped(self: object, action: str, request: object, **how: object) -> dict[str, object]:
        was, times = model.read_bytes(), (model.stat().st_atime_ns, model.stat().st_mtime_ns)
        for content in [was[::-1], *([was] if back else [])]:
            (tmp_path / "new").write_bytes(content)
            (tmp_path / "new").replace(model)
            os.utime(model, ns=times)
        raise DeviceError("the runtime says something else", next="look")

    monkeypatch.setattr(LocalSession, "act", swapped)
    with pytest.raises(BundleError, match=r"changed while it was read \(model.onnx\)") as caught, unchanged(copy):
        check(copy, open_device("local"), Options(goldens_only=True))
    assert caught.value.exit_code == 6
