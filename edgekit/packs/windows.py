"""Windows: a NuGet package of the C# face's sources and edgekit.dll, which Microsoft's compiler makes on Windows."""

from __future__ import annotations

import struct
from pathlib import Path
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from edgekit import __version__, files, programs
from edgekit.errors import ToolMissing, UsageError
from edgekit.packs import Asked, Made

CSHARP = files.resource("wrappers/csharp")
DLL = "edgekit.dll"
_MACHINES = {0x8664: "x86_64", 0xAA64: "aarch64"}  # PE's own numbers
_RIDS = {"x86_64": "win-x64", "aarch64": "win-arm64"}
_BUILD = (
    f"on Windows, with Visual Studio's compiler and nlohmann-json: cmake -S {files.resource('wrappers/cpp')} -B build"
    f" && cmake --build build --config Release; then --engines FOLDER, where {DLL} and the engines' DLLs lie"
)
_NUSPEC = """\
<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd">
  <metadata>
    <id>Edgekit</id>
    <version>{version}</version>
    <authors>edgekit</authors>
    <license type="expression">Apache-2.0</license>
    <description>Open an edgekit bundle in an app: the C# face as sources, and {dll}.</description>
    <dependencies>
      <group targetFramework=".NETStandard2.0">
        <dependency id="Microsoft.Bcl.AsyncInterfaces" version="8.0.0" />
        <dependency id="System.Memory" version="4.5.5" />
      </group>
      <group targetFramework=".NETStandard2.1" />
    </dependencies>
  </metadata>
</package>
"""
# The app compiles the face itself: it works with every framework that netstandard2.0 does.
_TARGETS = """\
<Project>
  <PropertyGroup><AllowUnsafeBlocks>true</AllowUnsafeBlocks></PropertyGroup>
  <ItemGroup><Compile Include="$(MSBuildThisFileDirectory)../src/*.cs" Visible="false" /></ItemGroup>
</Project>
"""
_NULLABLE = b"#nullable enable\n"  # what the face's own project says for all of it, and an app's need not
_TYPES = """\
<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
  <Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml" />
  <Default Extension="nuspec" ContentType="application/octet" />
  <Default Extension="targets" ContentType="application/octet" />
  <Default Extension="cs" ContentType="application/octet" />
  <Default Extension="dll" ContentType="application/octet" />
</Types>
"""
_RELATIONS = """\
<?xml version="1.0" encoding="utf-8"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
  <Relationship Type="http://schemas.microsoft.com/packaging/2010/07/manifest" Target="/Edgekit.nuspec" Id="R1" />
</Relationships>
"""


def ready(asked: Asked) -> None:
    """Refuse where there is no edgekit.dll: nothing here compiles one that Windows has run."""
    if strange := [abi for abi in asked.abis if abi not in _RIDS]:
        raise UsageError(f"Windows is not packed for {strange[0]}", next=f"--abi: one of {', '.join(_RIDS)}")
    if asked.engines is None or not (asked.engines / DLL).is_file():
        raise ToolMissing(f"{DLL} is compiled on Windows, and no folder with it is named", next=_BUILD)
    _libraries(asked)


def write(room: Path, asked: Asked) -> Made:
    """Edgekit.VERSION.nupkg, which a folder of packages is a source of for NuGet."""
    (abi, libraries) = _libraries(asked)
    entries = {"[Content_Types].xml": _TYPES, "_rels/.rels": _RELATIONS, "build/Edgekit.targets": _TARGETS}
    entries["Edgekit.nuspec"] = _NUSPEC.format(version=escape(__version__), dll=DLL)
    packed = {name: text.encode() for name, text in entries.items()}
    packed |= {f"src/{path.name}": _NULLABLE + path.read_bytes() for path in sorted((CSHARP / "src").glob("*.cs"))}
    packed |= {f"runtimes/{_RIDS[abi]}/native/{path.name}": path.read_bytes() for path in libraries}
    with ZipFile(room / f"Edgekit.{__version__}.nupkg", "w", ZIP_DEFLATED) as out:
        for name in sorted(packed):
            out.writestr(ZipInfo(name, (1980, 1, 1, 0, 0, 0)), packed[name], ZIP_DEFLATED)
    use = (
        "<RestoreAdditionalProjectSources>edgekit-windows</RestoreAdditionalProjectSources>",
        f'<PackageReference Include="Edgekit" Version="{__version__}" />',
    )
    return Made(use, (f"for {_RIDS[abi]}, with {', '.join(path.name for path in libraries)}",))


def _libraries(asked: Asked) -> tuple[str, list[Path]]:
    """The architecture of the DLLs that lie in the folder, and they.

    Raises:
        UsageError: they are not all for one of the architectures that are asked for.
    """
    assert asked.engines is not None  # `ready` refuses
    paths = sorted(path for path in asked.engines.iterdir() if path.suffix.lower() == ".dll")
    abis = {path.name: _abi(path) for path in paths}
    wanted = asked.abis or tuple(_RIDS)
    if odd := [name for name, abi in abis.items() if abi not in wanted or abi != abis[DLL]]:
        why = f"{odd[0]} is for {abis[odd[0]] or 'nothing that Windows loads'}, {DLL} for {abis[DLL] or 'nothing'}"
        raise UsageError(why, next=f"give the DLLs of one of {', '.join(wanted)}")
    return abis[DLL], paths


def _abi(path: Path) -> str:
    """The architecture that a DLL's header names; "" where it is none."""
    with path.open("rb") as stream:
        head = stream.read(programs.HEAD)
    if "(PE)" not in programs.by_bytes(head):
        return ""
    (at,) = struct.unpack_from("<I", head, 0x3C)
    return _MACHINES.get(int.from_bytes(head[at + 4 : at + 6], "little"), "")
