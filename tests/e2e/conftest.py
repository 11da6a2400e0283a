"""Real bundles for the end-to-end tests: built once, shared by workers and runs, never changed by a test."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def catalogue_bundle() -> Callable[[str], Path]:
    """catalogue_bundle("swift-f0") -> the folder of its linux-cpu bundle; `make artifacts` makes them all."""
    spec = importlib.util.spec_from_file_location("artifacts", ROOT / "scripts" / "artifacts.py")
    assert spec is not None and spec.loader is not None
    artifacts = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(artifacts)

    def build(name: str) -> Path:
        artifacts.FOLDER.mkdir(parents=True, exist_ok=True)
        with FileLock(artifacts.FOLDER / f"{name}.lock"):
            return Path(artifacts.build(name))

    return build
