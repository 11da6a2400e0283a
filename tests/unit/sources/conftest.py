"""Fixtures of the source tests: a cache of their own, a package index that is a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.sources.tiny_models import write_wheel


@pytest.fixture(autouse=True)
def own_cache(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; the tests with real models keep the machine's, which spares the downloads."""
    folder = tmp_path / "cache"
    if request.node.get_closest_marker("olive") is None:
        monkeypatch.setenv("EDGEKIT_CACHE", str(folder))
    return folder


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Publish a wheel where pip finds it without a network: index({path: bytes}, version="1.0")."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")

    def publish(files: dict[str, bytes], version: str = "1.0") -> Path:
        return write_wheel(folder, files, version)

    return publish
