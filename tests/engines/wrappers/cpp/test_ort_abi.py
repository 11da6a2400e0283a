"""src/ort_abi.h holds what ONNX Runtime's own header says: the places and the arguments of the functions it uses."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.devices._runner import SOURCES
from tests.peers.ort_package import headers

pytestmark = pytest.mark.tools


@pytest.fixture
def compiles(need_tool: Callable[[str], Path], tmp_path: Path) -> Callable[[str], str]:
    """compiles(text of ort_abi.h) -> the compiler's errors."""
    compiler, _ = need_tool("g++"), need_tool("npm")
    for name in ("ort_abi_check.cpp", "arrays.h"):
        (tmp_path / name).write_bytes((SOURCES / "src" / name).read_bytes())

    def check(abi: str) -> str:
        (tmp_path / "ort_abi.h").write_text(abi, encoding="utf-8")
        command = [compiler, "-std=c++17", "-fsyntax-only", "-isystem", headers(), tmp_path / "ort_abi_check.cpp"]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120).stderr

    return check


def abi() -> str:
    return (SOURCES / "src/ort_abi.h").read_text(encoding="utf-8")


def test_every_place_and_every_argument(compiles: Callable[[str], str]) -> None:
    assert "error" not in compiles(abi())


@pytest.mark.parametrize(
    ("true", "false", "says"),
    [
        ("X(9, OrtStatus*, Run,", "X(8, OrtStatus*, Run,", "Run has another place"),
        ("(OrtSessionOptions*, int threads)", "(OrtSessionOptions*, long threads)", "has other arguments"),
        ("X(95, void, ReleaseSession", "X(95, void, ReleaseSessions", "no member named"),
    ],
)
def test_a_wrong_one_is_found(compiles: Callable[[str], str], true: str, false: str, says: str) -> None:
    assert abi().count(true) == 1
    assert says in compiles(abi().replace(true, false))
