"""Fixtures of the C# face: the SDK, and an app that is compiled once a session."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.devices._runner import LIBRARY
from tests.engines.wrappers.csharp.face import HERE, SOURCES, Console
from tests.peers import dotnet
from tests.peers.dotnet import Dotnet


@pytest.fixture(scope="session")
def sdk() -> Dotnet:
    return dotnet.dotnet()


@pytest.fixture(scope="session")
def app(sdk: Dotnet, runner: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app's folder: the face, a console that uses it, the core and the engines beside them."""
    folder = tmp_path_factory.mktemp("app")
    assert sdk.compile(folder / "Edgekit.dll", SOURCES, sdk.references(dotnet.STANDARD_2_1)) == ""
    references = [folder / "Edgekit.dll", *sdk.references(dotnet.CORE)]
    assert sdk.compile(folder / "Adapter.dll", [HERE / "Adapter.cs"], references, program=True) == ""
    shutil.copyfile(runner.parent / LIBRARY, folder / LIBRARY)
    for engine in runner.parent.glob("libonnxruntime*"):
        (folder / engine.name).symlink_to(engine)
    return folder


@pytest.fixture(scope="session")
def console(sdk: Dotnet, app: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """One process for the session; bundles that are left open do not keep it from ending well."""
    opened = Console(sdk, app, tmp_path_factory.mktemp("console"))
    yield opened
    assert opened.end() == 0 and opened.findings == ""
