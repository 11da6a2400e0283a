"""A bundle with every kind of code that a stranger could hide: none of it is executed anywhere, and all of it is named.

The stranger writes the manifest too, so every piece is tried as a file that it lists with the right sha256, and as one
that merely lies there.
"""

from __future__ import annotations

import importlib.machinery
import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from edgekit import __version__
from edgekit.bundle.read import read
from edgekit.bundle.runtime import OWNS, TRUSTED
from edgekit.commands import main
from edgekit.contract.manifest import Manifest
from edgekit.devices import Device, open_device
from edgekit.report import table
from edgekit.verdicts.read import reports
from tests.peers.phone import Phone
from tests.peers.ssh_host import Host
from tests.unit.bundle import planted

pytestmark = pytest.mark.device

Bundle = tuple[Path, Manifest]
PYTHON = "runtime/python"
PACKAGE = f"{PYTHON}/edgekit_runtime"
MODEL = "model/portable"
CACHED = f"manifest.{sys.implementation.cache_tag}.pyc"
EXTENSION = importlib.machinery.EXTENSION_SUFFIXES[0]
PE = b"MZ".ljust(0x3C) + struct.pack("<I", 0x40) + b"PE\0\0".ljust(64)
MACH_O = struct.pack("<I", 0xFEEDFACF).ljust(64, b"\0")

SOURCES = (  # Python, where something of a runtime would import it
    f"{PYTHON}/sitecustomize.py",
    f"{PYTHON}/usercustomize.py",
    f"{PYTHON}/json/__init__.py",
    f"{PYTHON}/numpy.py",
    f"{PYTHON}/numpy/__init__.py",
    f"{PYTHON}/onnxruntime/__init__.py",
    f"{PYTHON}/onnxruntime_genai.py",
    f"{PYTHON}/edgekit/__init__.py",
    f"{PYTHON}/edgekit_runtime.py",
    f"{PYTHON}/__main__.py",
    f"{PYTHON}/conftest.py",
    f"{PACKAGE}/json.py",
    f"{PACKAGE}/manifest/__init__.py",
    f"{PACKAGE}/.hidden/module.py",
    f"{PACKAGE}/lib/python3.11/site-packages/sitecustomize.py",
    "runtime/sitecustomize.py",
    "runtime/.hidden/sitecustomize.py",
    f"{MODEL}/json.py",
    f"{MODEL}/numpy.PY",
    f"{MODEL}/tokenization_own.py",
    "check/conftest.py",
    "LICENSES/setup.py",
)
COMPILED = (
    f"{PACKAGE}/__pycache__/{CACHED}",
    f"{PACKAGE}/__PYCACHE__/{CACHED}",
    f"{PACKAGE}/manifest.pyc",
    f"{PACKAGE}/extra.pyc",
    f"{PYTHON}/json.pyc",
    f"{PYTHON}/__pycache__/json.{sys.implementation.cache_tag}.pyc",
    f"{MODEL}/__pycache__/{CACHED}",
)
LIBRARIES = (
    f"{PYTHON}/json{EXTENSION}",
    f"{PYTHON}/_ctypes.so",
    f"{PACKAGE}/manifest{EXTENSION}",  # an extension module comes before the source of the same name
    f"{PACKAGE}/libgomp.so.1",
    f"{MODEL}/libonnxruntime.so",
    f"{MODEL}/libonnxruntime.so.1.26.0",
    f"{MODEL}/libonnxruntime-genai.so",
    f"{MODEL}/libQnnHtp.so",
    f"{MODEL}/libcustom_ops.SO",
    f"{MODEL}/weights.bin",  # no name of a library, but its bytes
    f"{MODEL}/.lib/ld-linux.so.2",
    "check/liba.so",
)
TEXTS = {
    f"{PYTHON}/own.pth": b"import os\n",
    f"{PYTHON}/edgekit_runtime.zip": b"PK\x05\x06" + bytes(18),
    f"{PYTHON}/pyvenv.cfg": b"home = .\n",
    f"{MODEL}/own.pth": b"import os\n",
    f"{MODEL}/onnxruntime.dll": PE,
    f"{MODEL}/model.data": PE,
    f"{MODEL}/libonnxruntime.dylib": MACH_O,
    f"{MODEL}/more.data": MACH_O,
    f"{MODEL}/classes.dex": b"dex\n035\0" + bytes(64),
    f"{MODEL}/run.sh": b"#!/bin/sh\n",
    f"{MODEL}/run": b"#! /bin/sh\n",
    "check/inputs.pkl": b"cos\nsystem\n(S'true'\ntR.",
    "runtime/.git/hooks/post-checkout": b"#!/bin/sh\n",
    "runtime/LD_PRELOAD": b"x",
}
UNLISTED = {  # places that no manifest may list
    "sitecustomize.py": b"",
    "json.py": b"",
    ".envrc": b"export LD_PRELOAD=./x.so\n",
    "model/libonnxruntime.so": b"",
    "Runtime/python/edgekit_runtime/__main__.py": b"",
    "__pycache__/json.pyc": b"",
    "lib/libonnxruntime.so": b"",
}


@dataclass(frozen=True)
class Stranger:
    """Plants code into copies of a bundle.

    Attributes:
        canary: the file that says what was executed.
    """

    bundle: Path
    folder: Path
    canary: Path
    compiler: Path

    def copy(self, name: str) -> Path:
        """A writable copy whose manifest names this edgekit as its builder."""
        home = self.folder / name
        shutil.copytree(self.bundle, home)
        for path in home.rglob("*"):
            path.chmod(0o755)
        planted.sealed_again(home, (), tools={"edgekit": __version__})
        return home

    def content(self, path: str) -> bytes:
        """What says `path` when it is executed."""
        if path in COMPILED:
            return planted.compiled(path, self.canary, self.folder)
        if path in LIBRARIES:
            return planted.library(path, self.canary, self.folder, self.compiler)
        return {**TEXTS, **UNLISTED}.get(path) or planted.source(path, self.canary).encode()

    def put(self, home: Path, path: str) -> None:
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_bytes(self.content(path))

    def executed(self) -> list[str]:
        return self.canary.read_text().split() if self.canary.exists() else []


@pytest.fixture
def stranger(bundle: Bundle, tmp_path: Path, need_tool: Callable[[str], Path]) -> Stranger:
    folder = tmp_path / "from a stranger"
    folder.mkdir()
    return Stranger(bundle[0], folder, tmp_path / "canary", need_tool("g++"))


Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """ask("verify", bundle) -> the JSON document of that command line."""

    def run(*words: str | Path) -> dict[str, Any]:
        capsys.readouterr()
        code = main([*map(str, words), "--json", "-q"])
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert found["exit_code"] == code
        return found

    return run


def refused(ask: Ask, home: Path, path: str) -> None:
    """Every command names what was planted, and those that would run the bundle do not."""
    found = ask("verify", home)
    assert found["exit_code"] == 6
    assert path in [one["path"] for one in found["data"]["problems"]]
    shown = ask("inspect", home)["data"]
    assert any(f"{path!r}" in line for line in shown["unsafe"]) or (not shown["whole"] and path == ".envrc")
    assert ask("inspect", home, "--partition")["exit_code"] == 6
    for words in (("run", home, "--input", "x=none.npy"), ("check", home, "--quick")):
        found = ask(*words)
        assert found["exit_code"] == 6 and f"{path!r}" in found["error"]["message"], found


@pytest.mark.parametrize("path", [*SOURCES, *COMPILED, *LIBRARIES, *TEXTS])
def test_a_listed_file_is_unsafe_and_never_executed(stranger: Stranger, ask: Ask, path: str) -> None:
    home = stranger.copy("listed")
    stranger.put(home, path)
    planted.sealed_again(home, [path])
    refused(ask, home, path)
    assert {one["what"] for one in ask("verify", home)["data"]["problems"]} == {"unsafe"}
    archive = Path(shutil.make_archive(str(stranger.folder / "b"), "zip", home))
    assert path in [one["path"] for one in ask("verify", archive)["data"]["problems"]]
    assert stranger.executed() == []


@pytest.mark.parametrize("path", [*SOURCES, *COMPILED, *LIBRARIES, *TEXTS, *UNLISTED])
def test_a_file_that_merely_lies_there_is_named_and_never_executed(stranger: Stranger, ask: Ask, path: str) -> None:
    home = stranger.copy("unlisted")
    stranger.put(home, path)
    refused(ask, home, path)
    assert stranger.executed() == []


@pytest.mark.parametrize("name", ["__init__.py", "__main__.py", "manifest.py"])
def test_a_changed_runtime_of_this_edgekit_is_unsafe(stranger: Stranger, ask: Ask, name: str) -> None:
    home, path = stranger.copy("changed"), f"{PACKAGE}/{name}"
    (home / path).write_text((home / path).read_text() + planted.source(name, stranger.canary))
    planted.sealed_again(home, ())
    refused(ask, home, path)
    assert stranger.executed() == []


@pytest.mark.parametrize("path", [f"{PYTHON}/json", f"{PACKAGE}/manifest.py", f"{MODEL}/more"])
def test_a_link_to_code_is_named_and_not_followed(stranger: Stranger, ask: Ask, path: str) -> None:
    home = stranger.copy("linked")
    there = stranger.folder / "elsewhere"
    there.mkdir()
    (there / "__init__.py").write_text(planted.source("linked", stranger.canary))
    (home / path).unlink(missing_ok=True)
    (home / path).symlink_to(there / "__init__.py" if path.endswith(".py") else there)
    refused(ask, home, path)
    assert stranger.executed() == []


def test_a_library_that_an_engine_would_load_by_a_setting_is_named(stranger: Stranger, ask: Ask) -> None:
    home, path = stranger.copy("setting"), f"{MODEL}/genai_config.json"
    document = {"model": {"decoder": {"filename": "model.onnx", "session_options": {"custom_ops_library": "x"}}}}
    (home / path).write_text(json.dumps(document))
    planted.sealed_again(home, [path])
    refused(ask, home, path)


def test_a_runtime_of_another_edgekit_is_said_and_ours_runs(stranger: Stranger, ask: Ask, tmp_path: Path) -> None:
    home = older(stranger)
    found = ask("verify", home)
    assert (found["exit_code"], found["data"]["runtime"], found["data"]["problems"]) == (0, "another", [])
    assert ask("inspect", home)["data"]["runtime"] == "another"
    found = ask("check", home, "--quick")
    assert found["exit_code"] == 0 and found["data"]["report"]["conditions"]["runtime"] == OWNS
    assert ask("run", home, "--input", feed(tmp_path))["data"]["runtime"] == OWNS
    assert stranger.executed() == []


def older(stranger: Stranger) -> Path:
    """A bundle of another edgekit, whose runtime says that it was executed."""
    home = stranger.copy("older")
    for name in ("__init__.py", "once.py"):
        text = (home / PACKAGE / "__init__.py").read_text() if name == "__init__.py" else ""
        (home / PACKAGE / name).write_text(text + planted.source("older", stranger.canary))
    planted.sealed_again(home, [f"{PACKAGE}/once.py"], tools={"edgekit": "0.0.9"})
    return home


def feed(folder: Path) -> str:
    import numpy as np

    np.save(folder / "x.npy", np.ones((1, 512), np.float32))
    return f"x={folder / 'x.npy'}"


def everywhere(stranger: Stranger) -> Path:
    """One bundle with everything in it, and listed: what a runtime must survive where nobody verified."""
    home = stranger.copy("everything")
    kept = [path for path in (*SOURCES, *COMPILED, *LIBRARIES, *TEXTS) if not _two_of_one(path)]
    for path in kept:
        stranger.put(home, path)
    planted.sealed_again(home, kept)
    for path in UNLISTED:
        stranger.put(home, path)
    return home


def _two_of_one(path: str) -> bool:
    """Names that are one on some file systems or that cannot be a file and a folder: a manifest may hold either."""
    return "__PYCACHE__" in path or path in (f"{PYTHON}/numpy.py", f"{PYTHON}/edgekit_runtime.py")


def test_the_planted_code_would_say_so(stranger: Stranger) -> None:
    """Where the bundle's own folder is what a runtime is imported from, as it once was."""
    home = everywhere(stranger)
    env = {**os.environ, "PYTHONPATH": str(home / PYTHON)}
    command = [sys.executable, "-P", "-m", "edgekit_runtime", "request.json"]
    subprocess.run(command, env=env, capture_output=True, check=False)
    said = stranger.executed()
    assert {f"{PYTHON}/sitecustomize.py", f"{PYTHON}/json/__init__.py", f"{PACKAGE}/manifest/__init__.py"} <= set(said)
    stranger.canary.unlink()
    binary = [path for path in (*COMPILED, *LIBRARIES) if not _two_of_one(path)]
    for path in binary:
        load = "import ctypes, marshal, sys; raw = open(sys.argv[1], 'rb').read()\n"
        load += "exec(marshal.loads(raw[16:])) if sys.argv[1].endswith('.pyc') else ctypes.CDLL(sys.argv[1])"
        subprocess.run([sys.executable, "-c", load, home / path], check=True)
    assert set(stranger.executed()) == set(binary)


def unharmed(stranger: Stranger, device: Device) -> None:
    """The runtime that runs is edgekit's own, in a process that executes none of it; trusted, the bundle's is."""
    home = everywhere(stranger)
    with device.session(home, read(home)) as session:
        assert session.runtime == OWNS
        for action in ("identify", "load"):
            session.act(action, {}, timeout=120, tell=str)
    assert stranger.executed() == []
    trusted = older(stranger)
    with device.session(trusted, read(trusted), trust=True) as session:
        assert session.runtime == TRUSTED
        assert session.act("load", {}, timeout=120, tell=str)["kind"] == "tensor"
    assert set(stranger.executed()) == {"older"}


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))


def test_nothing_is_executed_here(stranger: Stranger, locks: None) -> None:
    unharmed(stranger, open_device("local"))


def test_nothing_is_executed_over_ssh(stranger: Stranger, locks: None, host: Host) -> None:
    unharmed(stranger, open_device(host.address))


def test_nothing_is_executed_over_adb(stranger: Stranger, locks: None, board: Phone) -> None:
    unharmed(stranger, open_device(board.address))


def test_trust_executes_the_bundles_runtime_and_every_report_says_so(
    stranger: Stranger, ask: Ask, locks: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, line = older(stranger), "the bundle's own runtime was executed"
    assert ask("run", home, "--input", feed(tmp_path), "--trust-bundle-code")["data"]["runtime"] == TRUSTED
    assert stranger.executed()
    stranger.canary.unlink()
    found = ask("check", home, "--quick", "--trust-bundle-code")
    assert found["exit_code"] == 0 and stranger.executed()
    result = home.with_name(f"{home.name}.result.json")
    assert json.loads(result.read_text())["conditions"]["runtime"] == TRUSTED
    stranger.canary.unlink()
    for form in ("junit", "markdown", "html"):
        path = tmp_path / f"report.{form}"
        assert main(["report", str(result), "--format", form, "-o", str(path)]) == 0
        assert line in unescape(path.read_text()).replace("\\", ""), form
    capsys.readouterr()
    table.show(reports([result])[0])
    assert line in capsys.readouterr().out and stranger.executed() == []


def test_trust_covers_what_the_manifest_lists_and_no_more(stranger: Stranger, ask: Ask) -> None:
    home = older(stranger)
    stranger.put(home, f"{PYTHON}/sitecustomize.py")
    found = ask("check", home, "--quick", "--trust-bundle-code")
    assert found["exit_code"] == 6 and "sitecustomize.py" in found["error"]["message"]
    shutil.rmtree(home / "runtime")
    found = ask("check", home, "--quick", "--trust-bundle-code")
    assert found["exit_code"] == 6 and "holds no runtime" in found["error"]["message"]
    assert stranger.executed() == []
