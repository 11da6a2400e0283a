"""The C# face from Python: a process of .NET (Adapter.cs) that asks it what is asked here."""

from __future__ import annotations

import shutil
from pathlib import Path

from edgekit import files
from edgekit.devices._runner import LIBRARY
from tests.engines.wrappers.conformance_face import FaceProcess
from tests.peers import dotnet
from tests.peers.dotnet import Dotnet

HERE = Path(__file__).parent
FACE = files.resource("wrappers/csharp")
SOURCES = sorted((FACE / "src").glob("*.cs"))


def compile_app(sdk: Dotnet, folder: Path, runner: Path) -> Path:
    """An app's folder: the face, a console that uses it, the core and the engines beside them."""
    assert sdk.compile(folder / "Edgekit.dll", SOURCES, sdk.references(dotnet.STANDARD_2_1)) == ""
    references = [folder / "Edgekit.dll", *sdk.references(dotnet.CORE)]
    assert sdk.compile(folder / "Adapter.dll", [HERE / "Adapter.cs"], references, program=True) == ""
    shutil.copyfile(runner.parent / LIBRARY, folder / LIBRARY)
    for engine in runner.parent.glob("libonnxruntime*"):
        (folder / engine.name).symlink_to(engine)
    return folder


class Console(FaceProcess):
    """A process of an app's folder."""

    def __init__(self, sdk: Dotnet, app: Path, folder: Path, **env: str) -> None:
        super().__init__(sdk.command(app / "Adapter.dll"), folder, env={**sdk.env, **env})
