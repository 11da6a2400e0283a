"""Zips: identical bytes for identical bundles, and nothing of a stranger's gets outside or too big."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.bundle.verify import verify
from edgekit.bundle.zip import zip_bundle
from edgekit.errors import BuildError
from tests.unit.bundle.tiny_bundle import NAME

pytestmark = pytest.mark.runtimes


@pytest.fixture(scope="session")
def zipped(sealed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("zipped") / f"{NAME}.zip"
    zip_bundle(sealed, out)
    return out


def test_a_common_tool_unpacks_it(zipped: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "zipfile", "-e", zipped, tmp_path / NAME], check=True)
    assert verify(tmp_path / NAME) == []


def test_a_full_disk_leaves_nothing(small_disk: Callable[[int], Path], sealed: Path) -> None:
    disk = small_disk(40)
    with pytest.raises(BuildError, match="the disk is full"):
        zip_bundle(sealed, disk / "x.zip")
    assert list(disk.iterdir()) == []
