"""The Windows sample's program: compiled by Roslyn with the face's sources, and run on Linux, on .NET."""

from __future__ import annotations

import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit import sample
from edgekit.devices._runner import LIBRARY
from edgekit.tools import QUIET_ENGINES
from tests.engines.sample.conftest import TURNS, shown
from tests.peers import dotnet
from tests.peers.dotnet import Dotnet

pytestmark = pytest.mark.tools


@pytest.fixture(scope="module")
def sdk() -> Dotnet:
    return dotnet.dotnet()


@pytest.fixture(scope="module")
def project(chatting_bundle: Path, sealed_for: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a bundle that says it is for Windows."""
    runtime = [
        {"name": "Some.Engine", "channel": "nuget", "floor": "1.2.3", "last_seen": "1.2.3", "source": "a test"},
        {"name": "some-engine", "channel": "pip", "floor": "0.1", "last_seen": "0.2", "source": "a test"},
    ]
    folder = tmp_path_factory.mktemp("windows") / "project"
    made = sample.make("windows", sealed_for(chatting_bundle, "windows", runtime=runtime, abi=["x86_64"]), folder)
    assert made.does == sample.CHAT and made.steps[0].endswith(' --platform win_amd64 "some-engine>=0.1"')
    return folder


@pytest.fixture(scope="module")
def program(sdk: Dotnet, project: Path, runner: Path) -> Path:
    """Its sources as the project file names them; the core and the engines beside it, as its output has them."""
    sources = [path for pattern in compiled(project) for path in sorted(project.glob(pattern))]
    folder = project / "out"
    folder.mkdir()
    assert len(sources) > 5
    assert sdk.compile(folder / "Sample.dll", sources, sdk.references(dotnet.CORE), program=True) == ""
    shutil.copyfile(runner.parent / LIBRARY, folder / LIBRARY)
    shutil.copyfile(project / "LICENSES.txt", folder / "LICENSES.txt")
    for engine in runner.parent.glob("libonnxruntime*"):
        (folder / engine.name).symlink_to(engine)
    return folder / "Sample.dll"


def compiled(project: Path) -> list[str]:
    """What Sample.csproj compiles."""
    root = ElementTree.parse(project / "Sample.csproj").getroot()
    (patterns,) = [str(item.get("Include")) for item in root.iter("Compile")]
    return patterns.split(";")


def run(sdk: Dotnet, program: Path, *words: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [*sdk.command(program), *map(str, words)]
    env = {**sdk.env, **QUIET_ENGINES}
    return subprocess.run(command, input=stdin, env=env, capture_output=True, text=True, check=False, timeout=60)


def test_it_chats(sdk: Dotnet, program: Path, chatting_bundle: Path, conversation: list[str]) -> None:
    done = run(sdk, program, chatting_bundle, stdin="".join(f"{turn}\n" for turn in TURNS))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "".join(f"{answer}\n" for answer in conversation)


def test_it_runs_tensors(sdk: Dotnet, program: Path, tensor_bundle: Path, tensors: tuple[Path, dict[str, Any]]) -> None:
    path, expected = tensors
    done = run(sdk, program, tensor_bundle, f"x=float32:1,3,8,8:{path}", "scores", "best")
    assert done.returncode == 0, done.stderr
    told = shown(done.stdout)
    assert told["scores"][:2] == ("float32", "1,6") and told["best"] == ("int64", "1", [*expected["best"]])
    np.testing.assert_allclose(told["scores"][2], expected["scores"].ravel(), rtol=1e-6)


def test_it_refuses_a_bundle_of_another_system(sdk: Dotnet, program: Path, project: Path) -> None:
    """Its own bundle is for Windows, and this is Linux."""
    done = run(sdk, program, project / "bundle")
    assert done.returncode == 1 and "windows" in done.stderr and "Exception" not in done.stderr


def test_it_says_what_it_cannot_do_and_shows_the_licences(
    sdk: Dotnet, program: Path, project: Path, tensor_bundle: Path
) -> None:
    assert "usage:" in run(sdk, program).stderr
    assert "NAME=TYPE" in run(sdk, program, tensor_bundle, "x=float32").stderr
    assert run(sdk, program, "--licences").stdout == (project / "LICENSES.txt").read_text(encoding="utf-8")


def test_the_project_file_is_of_the_bundle_and_of_the_face(project: Path) -> None:
    props = ElementTree.parse(project / "Bundle.props").getroot()
    assert [item.attrib for item in props.iter("PackageReference")] == [
        {"Include": "Some.Engine", "Version": "[1.2.3]"}
    ]
    assert [item.text for item in props.iter("RuntimeIdentifier")] == ["win-x64"]
    text = (project / "Sample.csproj").read_text(encoding="utf-8")
    assert '<Import Project="Bundle.props" />' in text
    assert re.findall(r"(\S+?);engines/onnxruntime/capi/\*\.dll;", text) == ['Include="build/Release/edgekit.dll']
