"""Where edgekit-runner is found, when it is refused, and what its build needs."""

from __future__ import annotations

import importlib.util
import shutil
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from edgekit import tools
from edgekit.devices import _runner
from edgekit.errors import BuildError, ToolMissing
from edgekit.wrappers.python.manifest import host_abi

LINE = "edgekit runner build linux-aarch64"


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def no_zig(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "ziglang" else real(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)


def placed(cache: Path, platform: str = "linux-aarch64") -> Path:
    """A runner as `build` leaves it; its bytes do not matter here."""
    home = cache / "runners" / platform
    home.mkdir(parents=True)
    runner = home / _runner.NAME
    runner.write_bytes(b"a program")
    key = {**_runner._key(_runner.platform(platform)), "runner": _runner.file_digest(runner)}
    (home / "runner.json").write_text(_runner.pretty(key), encoding="utf-8")
    return runner


@pytest.mark.unit
def test_none_was_built(empty_cache: Path) -> None:
    with pytest.raises(ToolMissing, match="was not built for linux-aarch64") as caught:
        _runner.find_runner("linux", "aarch64")
    assert caught.value.exit_code == 7 and caught.value.next == LINE


@pytest.mark.unit
def test_no_runner_for_such_a_device(empty_cache: Path) -> None:
    with pytest.raises(ToolMissing, match="no edgekit-runner for linux-riscv64") as caught:
        _runner.find_runner("linux", "riscv64")
    assert "linux-aarch64" in caught.value.next and "android-aarch64" in caught.value.next


@pytest.mark.unit
def test_a_built_one_is_found(empty_cache: Path) -> None:
    runner = placed(empty_cache)
    with pytest.raises(ToolMissing, match="no ONNX Runtime lies beside") as caught:
        _runner.find_runner("linux", "aarch64")
    assert str(runner.parent) in caught.value.next
    (runner.parent / "libonnxruntime.so.1.32.0").write_bytes(b"a library")
    assert _runner.find_runner("linux", "aarch64") == runner


@pytest.mark.unit
@pytest.mark.parametrize("what", ["sources", "compiler", "flags", "engines", "runner", "record", "damaged"])
def test_one_of_other_sources_is_not_taken(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    runner = placed(empty_cache)
    (runner.parent / "libonnxruntime.so").write_bytes(b"a library")
    if what == "sources":
        other = tmp_path / "cpp"
        shutil.copytree(_runner.SOURCES, other)
        (other / "src" / "main.cpp").write_text("int main() {}\n")
        monkeypatch.setattr(_runner, "SOURCES", other)
    elif what == "compiler":
        monkeypatch.setattr(_runner, "_compiler_id", lambda wanted: ["another", "1.0"])
    elif what == "flags":
        monkeypatch.setenv("CXXFLAGS", "-O0")
    elif what == "engines":
        monkeypatch.setattr(_runner.engines, "versions", lambda names: dict.fromkeys(names, "9.9"))
    elif what == "damaged":
        (runner.parent / "runner.json").write_text("[]")
    elif what == "runner":
        runner.write_bytes(b"another program")
    else:
        (runner.parent / "runner.json").unlink()
    with pytest.raises(ToolMissing, match="from other sources") as caught:
        _runner.find_runner("linux", "aarch64")
    assert caught.value.next == LINE


@pytest.mark.unit
def test_neither_the_version_nor_a_compiler_that_is_not_there_matters(
    empty_cache: Path, no_zig: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    runner = placed(empty_cache)
    (runner.parent / "libonnxruntime.so").write_bytes(b"a library")
    monkeypatch.setattr(_runner, "__version__", "9.9.9")
    assert _runner.find_runner("linux", "aarch64") == runner


@pytest.mark.unit
@pytest.mark.parametrize("missing", ["cmake", "compiler"])
def test_a_missing_tool_is_named_with_its_line(
    empty_cache: Path, no_zig: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    if missing == "compiler":
        (programs / "cmake").write_text("#!/bin/sh\nexit 1\n")
        (programs / "cmake").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    other = next(one for one in _runner.PLATFORMS if one.os == "linux" and one.abi != host_abi())
    with pytest.raises(ToolMissing) as caught:
        _runner.build(other)
    package = f"g++-{other.abi.replace('_', '-')}-linux-gnu"
    assert caught.value.next == (
        f"sudo apt-get install --no-install-recommends cmake make nlohmann-json3-dev {package}"
    )
    assert ("cmake" if missing == "cmake" else f"{other.abi}-linux-gnu-g++") in caught.value.message


@pytest.mark.unit
def test_android_needs_the_ndk(empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _runner._NDK:
        monkeypatch.delenv(name, raising=False)
    wanted = _runner.platform("android-aarch64")
    with pytest.raises(ToolMissing, match="NDK") as caught:
        _runner.toolchain(wanted)
    assert caught.value.next.startswith("ANDROID_NDK_HOME=/path/to/android-ndk ")
    toolchain = tmp_path / "build/cmake/android.toolchain.cmake"
    toolchain.parent.mkdir(parents=True)
    toolchain.write_text("")
    monkeypatch.setenv("ANDROID_NDK_ROOT", str(tmp_path))
    settings = _runner.toolchain(wanted)
    assert f"-DCMAKE_TOOLCHAIN_FILE={toolchain}" in settings and "-DANDROID_ABI=arm64-v8a" in settings


@pytest.mark.unit
def test_what_a_compiler_says_is_one_line() -> None:
    output = "[ 10%] Building\nsrc/a.cpp:3:1: error: expected ';'\n compilation terminated\n"
    error = _runner._failed(tools.Done(2, output, "make: *** [a.o] Error 1\n"))
    assert isinstance(error, BuildError) and "\n" not in error.message
