"""A seal killed before any of its changes on the disk leaves the old bundle or the new one, and the next completes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.bundle import aside
from tests import needs
from tests.kill.harness import ROOT

pytestmark = pytest.mark.runtimes


@needs.fork
@pytest.mark.parametrize("way", ["exchange", "rename"])
def test_killed_before_any_change_on_the_disk_the_next_build_completes(tmp_path: Path, way: str) -> None:
    (tmp_path / "one").touch()
    (tmp_path / "other").touch()
    if way == "exchange" and not aside._exchange(tmp_path / "one", tmp_path / "other"):
        needs.refused_here("exchange")
    stride = "1" if way == "rename" or os.environ.get("EDGEKIT_NIGHTLY") else "3"
    command = [sys.executable, "-m", "tests.kill.replaced", str(tmp_path), way, stride]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    rounds = [int(word) for word in done.stdout.split()]  # the last of each is not killed
    assert rounds == [2, 3] if way == "rename" else min(rounds) > 12
