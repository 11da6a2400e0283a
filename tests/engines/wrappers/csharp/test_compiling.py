"""The C# face compiled: for netstandard2.0 with each warning an error, with its extension, and as its README has it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.tools import QUIET_ENGINES
from tests.engines.wrappers.conformance import reference_text
from tests.engines.wrappers.conformance_respond import said
from tests.engines.wrappers.csharp.face import FACE, HERE, SOURCES
from tests.peers import dotnet
from tests.peers.dotnet import Dotnet

pytestmark = pytest.mark.tools


@pytest.fixture
def compiles(sdk: Dotnet, tmp_path: Path) -> Callable[[str], str]:
    """compiles(more of the face) -> what the compiler says of it for netstandard2.0."""
    standard = sdk.references(dotnet.STANDARD_2_0)
    assert sdk.compile(tmp_path / "Packages.dll", [HERE / "packages.cs"], standard) == ""

    def check(more: str) -> str:
        (tmp_path / "More.cs").write_text(more, encoding="utf-8")
        references = [*standard, tmp_path / "Packages.dll"]
        return sdk.compile(tmp_path / "Edgekit.dll", [*SOURCES, tmp_path / "More.cs"], references)

    return check


def test_it_is_of_netstandard_2_0(compiles: Callable[[str], str]) -> None:
    assert compiles("") == ""


def test_what_is_not_is_found(compiles: Callable[[str], str]) -> None:
    errors = compiles("""
        static class More {
            internal static bool Newer => "a".Contains('a'); // of netstandard2.1
            internal static string Null => null;
            internal static void Do() { int unused = 1; }
        }
    """)
    assert [line.split(": ")[1] for line in errors.splitlines()] == ["error CS1503", "error CS8603", "error CS0219"]


def test_it_is_small_and_asks_no_bundle_for_its_name() -> None:
    """No branch on kind, family or provider."""
    texts = [path.read_text(encoding="utf-8") for path in SOURCES]
    assert sum(len(text.splitlines()) for text in texts) < 600
    names = r'"(llm|tensor|cpu|qnn|coreml|nnapi|xnnpack|webgpu|dml|portable|phi\w*|llama|qwen\w*)"'
    assert not [text for text in texts if re.search(names, text)]


def test_the_chat_client_fits_what_was_read_of_its_interface(sdk: Dotnet, app: Path, tmp_path: Path) -> None:
    """The real package is on NuGet alone; its file says that it was never compiled against it."""
    [source] = (FACE / "extensions").iterdir()
    assert "Never compiled against the real package" in source.read_text(encoding="utf-8")
    core = sdk.references(dotnet.CORE)
    assert sdk.compile(tmp_path / "Abstractions.dll", [HERE / "extensions_ai.cs"], core) == ""
    references = [*core, tmp_path / "Abstractions.dll", app / "Edgekit.dll"]
    assert sdk.compile(tmp_path / "Chat.dll", [source], references) == ""


def test_the_lines_of_the_readme(sdk: Dotnet, app: Path, talking_bundle: Path, tmp_path: Path) -> None:
    [lines] = re.findall(
        r"```csharp\nusing Edgekit;\n(.*?)```", (FACE / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    [bundle] = re.findall(r'OpenAsync\("(.*?)"\)', lines)
    body = lines.replace(bundle, str(talking_bundle))
    usings = "using System;\nusing System.Collections.Generic;\nusing System.Threading.Tasks;\nusing Edgekit;\n"
    source = tmp_path / "Program.cs"
    source.write_text(f"{usings}class Program {{ static async Task Main() {{ {body} }} }}", encoding="utf-8")
    program = app / "Program.dll"
    assert sdk.compile(program, [source], [app / "Edgekit.dll", *sdk.references(dotnet.CORE)], program=True) == ""
    done = subprocess.run(sdk.command(program), env={**sdk.env, **QUIET_ENGINES}, capture_output=True, check=False)
    [question] = re.findall(r'Send\("(.*?)"\)', lines)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode("utf-8") == reference_text(talking_bundle, messages=[said(question)], max_tokens=256)
