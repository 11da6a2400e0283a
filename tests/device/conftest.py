"""What the device tests share: bundles, an adb server of their own, phones, and a machine to log in to."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from edgekit.bundle.read import read
from edgekit.contract.manifest import Manifest
from tests.device.device_bundle import MISBEHAVING, build
from tests.peers.phone import Phone, adb_server, make_root, phone
from tests.peers.ssh_host import Host, ssh_host

Bundle = tuple[Path, Manifest]
PYTHON = f'#!/bin/sh\nexec {sys.executable} "$@"\n'


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle with golden answers, in a folder with spaces and umlauts."""
    folder = tmp_path_factory.mktemp("bundles") / "mein Bündel"
    build(folder)
    return folder, read(folder)


@pytest.fixture(scope="session")
def misbehaving(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle whose runtime hangs, dies, ... as the action's name says; it must be trusted."""
    folder = tmp_path_factory.mktemp("bundles") / "misbehaving"
    build(folder, runtime=MISBEHAVING)
    return folder, read(folder)


@pytest.fixture(scope="session")
def adb_env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of an adb server of these tests alone; empty where there is no adb (its tests are skipped)."""
    adb = shutil.which("adb")
    if adb is None:
        yield {}
        return
    with adb_server(Path(adb), tmp_path_factory.mktemp("adb")) as env:
        yield env


@pytest.fixture
def use_adb(need_tool: Callable[[str], Path], adb_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """edgekit finds the tests' own adb server."""
    need_tool("adb")
    for name, value in adb_env.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def android_shell(need_tool: Callable[[str], Path]) -> str:
    """Android's shell, whose programs are toybox's."""
    need_tool("toybox")
    return f"{need_tool('mksh')} -c"


@pytest.fixture
def plug_in(use_adb: None, android_shell: str) -> Iterator[Callable[..., Phone]]:
    """plug_in(root, ...) serves a root as a phone until the test ends; port=N is one that vanished before."""
    with ExitStack() as stack:
        yield lambda root, **more: stack.enter_context(phone(root, shell=android_shell, **more))


@pytest.fixture
def board(tmp_path: Path, plug_in: Callable[..., Phone]) -> Phone:
    """A Linux board with adbd, Python and the engines; toybox's programs and Android's shell."""
    root = tmp_path / "phöne 1" / "root"
    make_root(root, programs={"python3": PYTHON})
    return plug_in(root)


@pytest.fixture
def sshd(need_tool: Callable[[str], Path]) -> Path:
    """OpenSSH's server, which is in /usr/sbin and so not on everybody's PATH."""
    found = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin")
    return Path(found) if found else need_tool("sshd")


@pytest.fixture
def host(sshd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A Linux machine to log in to, with Python and the engines."""
    folder = tmp_path / "sshd"
    folder.mkdir()
    with ssh_host(sshd, folder, env={"EDGEKIT_PYTHON": sys.executable}) as running:
        for name, value in running.env.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def gone() -> Callable[[int], bool]:
    """gone(pid): the process has ended, at the latest in a while."""

    def check(pid: int) -> bool:
        limit = time.monotonic() + 30
        while time.monotonic() < limit:
            if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
            time.sleep(0.05)
        return False

    return check
