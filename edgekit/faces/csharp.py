"""C#, over the C++ core: Windows, and wherever .NET runs."""

from edgekit import files
from edgekit.faces import Face, _core

FACE = Face(
    "C#",
    "cs",
    {**_core.FOLDERS, "csharp": files.resource("wrappers/csharp")},
    rf"{_core.SHAPE}|csharp/(Edgekit\.csproj|(src|extensions)/[A-Za-z0-9_]+\.cs)",
    files.resource("wrappers/csharp/hello"),
)
