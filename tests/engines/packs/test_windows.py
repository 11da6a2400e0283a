"""The NuGet package as an app's compiler (Roslyn) takes it: the sources that its .targets name, with no option more."""

from __future__ import annotations

import re
import struct
import subprocess
from functools import partial
from pathlib import Path
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest

from edgekit import packs
from edgekit.packs import Asked
from edgekit.packs.windows import DLL
from tests.engines.wrappers.csharp.face import HERE
from tests.peers import dotnet
from tests.peers.dotnet import Dotnet

pytestmark = pytest.mark.tools

PE = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40) + b"PE\0\0" + struct.pack("<H", 0x8664) + bytes(64)
APP = """using System;
using System.Threading.Tasks;
using Edgekit;

internal static class App {
    private static async Task Main() {
        try {
            await using Bundle bundle = await Bundle.OpenAsync("smollm2");
            await foreach (Event told in new Conversation(bundle).Send("Hello"))
                if (told is Text text) Console.Write(text.Value);
        } catch (EdgekitException why) {
            Console.Write(why.Code + " " + why.Axis);
        }
    }
}
"""


PROJECT = """<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType>
    <TargetFramework>netcoreapp3.1</TargetFramework>
    <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
    {source}
  </PropertyGroup>
  <ItemGroup>{reference}</ItemGroup>
</Project>
"""


def packed(folder: Path) -> packs.Pack:
    """A pack of a DLL that is none but by its header, in a folder of an app."""
    (folder / "dlls").mkdir()
    (folder / "dlls" / DLL).write_bytes(PE)
    return packs.make("windows", folder / "edgekit-windows", Asked(engines=folder / "dlls"))


def unpacked(folder: Path) -> tuple[list[Path], list[str]]:
    """What a package adds to an app's compilation: sources, and options."""
    with ZipFile(next(packed(folder).folder.glob("*.nupkg"))) as package:
        package.extractall(folder / "package")
    (targets,) = (folder / "package/build").glob("*.targets")
    root = ElementTree.parse(targets).getroot()
    (compiled,) = root.iter("Compile")
    (pattern,) = re.findall(r"^\$\(MSBuildThisFileDirectory\)\.\./(.*)$", compiled.attrib["Include"])
    unsafe = [f"-unsafe{'+' if each.text == 'true' else '-'}" for each in root.iter("AllowUnsafeBlocks")]
    return sorted((folder / "package").glob(pattern)), unsafe


@pytest.mark.parametrize("framework", ["netcoreapp3.1", "netstandard2.0"])
def test_an_app_compiles_it_without_a_warning(tmp_path: Path, framework: str) -> None:
    """One of .NET, and a library for .NET Framework, neither with nullable references."""
    sdk: Dotnet = dotnet.dotnet()
    sources, unsafe = unpacked(tmp_path)
    flags = ["-nologo", "-langversion:8.0", "-warn:4", "-warnaserror", *unsafe]
    assert len(sources) > 3
    if framework == "netcoreapp3.1":
        (tmp_path / "App.cs").write_text(APP, encoding="utf-8")
        references = sdk.references(dotnet.CORE)
        said = sdk.compile(tmp_path / "App.dll", [*sources, tmp_path / "App.cs"], references, True, flags)
    else:
        standard = sdk.references(dotnet.STANDARD_2_0)
        assert sdk.compile(tmp_path / "Packages.dll", [HERE / "packages.cs"], standard) == ""
        said = sdk.compile(tmp_path / "Edgekit.dll", sources, [*standard, tmp_path / "Packages.dll"], flags=flags)
    assert said == ""


@pytest.mark.nightly
def test_nuget_restores_it_and_an_app_is_built(tmp_path: Path) -> None:
    """By Microsoft's own clients and the two lines that the pack says; without a core the app says what it lacks."""
    sdk = dotnet.dotnet(())
    app = tmp_path / "app"
    app.mkdir()
    source, reference = packed(app).use
    none = "<configuration><packageSources><clear/></packageSources></configuration>"
    texts = {"App.csproj": PROJECT.format(source=source, reference=reference), "App.cs": APP, "nuget.config": none}
    for name, text in texts.items():
        (app / name).write_text(text, encoding="utf-8")
    own = {"HOME": str(tmp_path / "home"), "NUGET_PACKAGES": str(tmp_path / "kept"), "MSBUILDDISABLENODEREUSE": "1"}
    own |= {"DOTNET_SKIP_FIRST_TIME_EXPERIENCE": "1"}
    words = [sdk.home / "dotnet", "build", "-nologo", "-o", tmp_path / "built", "-p:UseSharedCompilation=false"]
    run = partial(subprocess.run, cwd=app, env={**sdk.env, **own}, capture_output=True, text=True, check=False)
    built = run(words)
    assert built.returncode == 0 and "0 Warning(s)" in built.stdout, built.stdout[-3000:]
    done = run([sdk.home / "dotnet", "exec", tmp_path / "built/App.dll"])
    assert (done.returncode, done.stdout) == (0, "tool-missing abi")
