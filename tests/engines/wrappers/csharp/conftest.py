"""Fixtures of the C# face: the SDK, and an app that is compiled once a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.wrappers.csharp.face import Console, compile_app
from tests.peers import dotnet
from tests.peers.dotnet import Dotnet


@pytest.fixture(scope="session")
def sdk() -> Dotnet:
    return dotnet.dotnet()


@pytest.fixture(scope="session")
def app(sdk: Dotnet, runner: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See compile_app."""
    return compile_app(sdk, tmp_path_factory.mktemp("app"), runner)


@pytest.fixture(scope="session")
def console(sdk: Dotnet, app: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """One process for the session; bundles that are left open do not keep it from ending well."""
    opened = Console(sdk, app, tmp_path_factory.mktemp("console"))
    yield opened
    assert opened.end() == 0 and opened.findings == ""
