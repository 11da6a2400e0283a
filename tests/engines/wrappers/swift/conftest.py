"""Fixtures of the Swift face: the compiler, and a program that is compiled once a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.devices._runner import LIBRARY
from tests import needs
from tests.engines.wrappers.swift import face
from tests.engines.wrappers.swift.face import Driver
from tests.peers import swift_root
from tests.peers.swift_root import Root


@pytest.fixture(scope="session")
def root() -> Root:
    if why := swift_root.lacking():
        needs.unavailable(why)
    return swift_root.swift_root()


@pytest.fixture(scope="session")
def program(root: Root, runner: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The driver; the engines lie beside the core that it is linked to."""
    return face.compile_driver(root, tmp_path_factory.mktemp("swift"), runner.parent / LIBRARY)


@pytest.fixture(scope="session")
def driver(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """One process for the session; bundles that are left open do not keep it from ending well."""
    process = Driver(program, tmp_path_factory.mktemp("driver"))
    yield process
    assert process.end() == 0
    assert process.findings == ""
