"""The C# face from Python: a process of .NET (Adapter.cs) that asks it what is asked here."""

from __future__ import annotations

from pathlib import Path

from edgekit import files
from tests.engines.wrappers.conformance_face import FaceProcess
from tests.peers.dotnet import Dotnet

HERE = Path(__file__).parent
FACE = files.resource("wrappers/csharp")
SOURCES = sorted((FACE / "src").glob("*.cs"))


class Console(FaceProcess):
    """A process of an app's folder."""

    def __init__(self, sdk: Dotnet, app: Path, folder: Path) -> None:
        super().__init__(sdk.command(app / "Adapter.dll"), folder, env=sdk.env)
