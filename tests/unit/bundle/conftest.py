"""Fixtures of the bundle tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.unit.bundle.tiny_bundle import NAME, build, origin


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
