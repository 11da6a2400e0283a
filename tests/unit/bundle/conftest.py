"""Fixtures of the bundle tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # whatever the import mode: the tests share tiny_bundle.py

from tiny_bundle import NAME, build, origin


@pytest.fixture(scope="session")
def made_of(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The model and the wrapper that tiny bundles are made of."""
    return origin(tmp_path_factory.mktemp("origin"))


@pytest.fixture(scope="session")
def sealed(tmp_path_factory: pytest.TempPathFactory, made_of: tuple[Path, Path]) -> Path:
    """A tiny bundle; no test changes it."""
    folder = tmp_path_factory.mktemp("sealed") / NAME
    build(folder, made_of)
    return folder


@pytest.fixture
def bundle(tmp_path: Path, sealed: Path) -> Path:
    """A tiny bundle that the test may change."""
    folder = tmp_path / NAME
    shutil.copytree(sealed, folder)
    for path in folder.rglob("*"):
        path.chmod(0o755)
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A real disk of so many kB, emptied with each call."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(kilobytes: int) -> Path:
        subprocess.run(["umount", disk], capture_output=True)
        options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs"]
        done = subprocess.run(["mount", *options, disk], capture_output=True, text=True)
        if done.returncode and os.environ.get("CI") == "true":
            pytest.fail(f"CI must be able to mount a small disk: {done.stderr}")
        if done.returncode:
            pytest.skip(f"mounting a small disk needs root: {done.stderr.strip()}")
        return disk

    if shutil.which("mount") is None:
        pytest.skip("this system has no mount")
    yield mount
    subprocess.run(["umount", disk], capture_output=True)
