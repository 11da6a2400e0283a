"""As a new app developer: in a root without edgekit, with a bundle, a pack and compilers, the README's commands."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from edgekit import __version__, cache, faces, files, packs
from edgekit.bundle.read import read
from edgekit.bundle.verify import verify
from edgekit.packs import Asked
from edgekit.wrappers.python import open_bundle
from edgekit.wrappers.python.events import Text
from edgekit.wrappers.python.llm import LlmBundle
from tests import needs
from tests.peers import dotnet, kotlin_package
from tests.unit.bundle.planted import sealed_again

pytestmark = pytest.mark.tools

MOST = 5  # commands
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


def with_face(bundle: Path, face: str, root: Path, target: Mapping[str, Any] | None = None) -> Path:
    """A copy of a bundle whose target, or this other one, has this face, as edgekit build would have staged it."""
    known = read(bundle)
    home = root / known.name
    shutil.copytree(bundle, home)
    for path in home.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    shutil.rmtree(home / "runtime")
    data = json.loads((home / "edgekit.json").read_text(encoding="utf-8"))
    kept = [entry for entry in data["files"] if entry["role"] != "runtime"]
    named = {"target": {**(target or data["target"]), "face": face}, "tools": {**data["tools"], "edgekit": __version__}}
    sealed_again(home, (), files=kept, **named)
    below = faces.staged(read(home))
    for inside, origin in below.items():
        path = home / "runtime" / inside
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(origin if isinstance(origin, str) else origin.read_text(encoding="utf-8"), encoding="utf-8")
    sealed_again(home, [f"runtime/{inside}" for inside in below])
    assert verify(home) == []
    return home


def commands(bundle: Path) -> str:
    """The commands of a bundle's README, as they stand there."""
    readme = (bundle / "runtime/README.md").read_text(encoding="utf-8").partition("## How")[2]
    (block,) = re.findall(r"```sh\n(.*?)```", readme, re.DOTALL)
    assert len(str(block).splitlines()) <= MOST
    return str(block)


def answer(bundle: Path, root: Path, **env: str) -> str:
    """What the commands print where neither edgekit nor what it was installed with, nor any cache, can be seen."""
    hidden = [files.PACKAGE.parent, cache.root(), Path.home() / ".cache", sys.prefix, *map(Path, sys.path)]
    folders = {os.path.realpath(path) for path in hidden if Path(path).is_dir()}
    folders = {path for path in folders if not path.startswith(("/usr/lib", "/lib")) and not str(root).startswith(path)}
    hide = "".join(f"mount -t tmpfs none '{path}'; " for path in sorted(folders, key=len, reverse=True))
    script = f'set -e; {hide}test ! -e "{files.PACKAGE}/__init__.py"; cd "{root}"; {commands(bundle)}'
    clean = {"PATH": f"{root}/kotlin/bin:/usr/bin:/bin", "HOME": str(root), **env}
    words = ["unshare", "--mount", "sh", "-c", script]
    done = subprocess.run(words, env=clean, capture_output=True, text=True, check=False, timeout=300)
    if "unshare failed" in done.stderr:
        needs.unavailable("no mount namespace can be made here: this test runs as root")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def expected(bundle: Path) -> str:
    """The same answer by the Python runtime."""
    opened = open_bundle(bundle)
    assert isinstance(opened, LlmBundle)
    return "".join(event.text for event in opened.respond(QUESTION) if isinstance(event, Text))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("developer")


@pytest.fixture(scope="module")
def linux(root: Path, runner: Path) -> Path:
    """The pack for Linux, of the runner that the session has built."""
    return packs.make("linux", root / "edgekit-linux", Asked()).folder


@pytest.fixture(scope="module")
def kotlin(root: Path) -> Path:
    """Kotlin's compiler as its distribution lies: bin/kotlinc and lib/."""
    if shutil.which("npm") is None:
        needs.unavailable("npm is not installed: make test-tools installs it")
    home = root / "kotlin"
    (home / "lib").mkdir(parents=True)
    for jar in kotlin_package.all_jars():
        shutil.copyfile(jar, home / "lib" / jar.name)
    (home / "bin").mkdir()
    path = ":".join(str(jar) for jar in sorted((home / "lib").glob("*.jar")))
    program = "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"
    script = f'#!/bin/sh\nexec java -XX:TieredStopAtLevel=1 -Dkotlin.home={home} -cp {path} {program} "$@"\n'
    (home / "bin/kotlinc").write_text(script, encoding="utf-8")
    (home / "bin/kotlinc").chmod(0o755)
    return home


def test_a_cpp_program_answers(
    llm_bundle: Path, tensor_bundle: Path, linux: Path, root: Path, need_tool: Callable[[str], Path]
) -> None:
    need_tool("unshare")
    bundle = with_face(llm_bundle, "cpp", root)
    said = answer(bundle, root).splitlines()
    assert said[-1].strip() and said[-1] == expected(bundle).splitlines()[-1]
    shutil.rmtree(root / "hello")
    bundle = with_face(tensor_bundle, "cpp", root)
    assert re.search(r"^\w+( \d+)+$", answer(bundle, root).splitlines()[-1])


def test_a_console_of_csharp_answers(
    llm_bundle: Path, tensor_bundle: Path, linux: Path, root: Path, need_tool: Callable[[str], Path]
) -> None:
    need_tool("unshare")
    sdk = dotnet.dotnet()
    shutil.copytree(sdk.home, root / "dotnet")
    shutil.copytree(sdk.env["LD_LIBRARY_PATH"], root / "openssl", symlinks=True)
    env = {name: sdk.env[name] for name in sdk.env if name.startswith("DOTNET_")}
    env |= {"DOTNET_ROOT": str(root / "dotnet"), "LD_LIBRARY_PATH": str(root / "openssl")}
    for each in (llm_bundle, tensor_bundle):
        shutil.rmtree(root / read(each).name, ignore_errors=True)
    shutil.rmtree(root / "hello", ignore_errors=True)
    bundle = with_face(llm_bundle, "csharp", root)
    said = answer(bundle, root, **env).splitlines()
    assert said[-1].strip() and said[-1] == expected(bundle).splitlines()[-1]
    shutil.rmtree(root / "hello")
    bundle = with_face(tensor_bundle, "csharp", root)
    assert re.search(r"^\w+( \d+)+$", answer(bundle, root, **env).splitlines()[-1])


@pytest.mark.nightly
def test_a_program_of_the_jvm_answers(
    llm_bundle: Path, tensor_bundle: Path, runner: Path, root: Path, kotlin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{kotlin / 'bin'}:{os.environ['PATH']}")
    packs.make("jvm", root / "edgekit-jvm", Asked())
    for each in (llm_bundle, tensor_bundle):
        shutil.rmtree(root / read(each).name, ignore_errors=True)
    bundle = with_face(llm_bundle, "kotlin", root)
    said = answer(bundle, root, KOTLIN_HOME=str(kotlin)).splitlines()
    assert said[-1].strip() and said[-1] == expected(bundle).splitlines()[-1]
    bundle = with_face(tensor_bundle, "kotlin", root)
    assert re.search(r"^\w+( \d+)+$", answer(bundle, root, KOTLIN_HOME=str(kotlin)).splitlines()[-1])
