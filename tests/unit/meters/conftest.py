"""A recorded machine for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.meters.recorded import Recorded


@pytest.fixture
def machine(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path / "root")
