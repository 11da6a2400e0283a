"""The bundles of tests/unit/bundle, and a disk that is soon full."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import needs
from tests.unit.bundle.conftest import bundle, made_of, sealed

__all__ = ["bundle", "made_of", "sealed"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A real disk of so many kB, emptied with each call."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(kilobytes: int) -> Path:
        subprocess.run(["umount", disk], capture_output=True)
        options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs"]
        done = subprocess.run(["mount", *options, disk], capture_output=True, text=True)
        if done.returncode:
            needs.unavailable(f"mounting a small disk needs root: {done.stderr.strip()}")
        return disk

    if shutil.which("mount") is None:
        needs.unavailable("this system has no mount")
    yield mount
    subprocess.run(["umount", disk], capture_output=True)
