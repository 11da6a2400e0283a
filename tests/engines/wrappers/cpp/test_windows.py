"""The C++ core for Windows: what is Windows's own in preflight compiles (Zig, MinGW's headers). Nobody has run it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.devices._runner import SOURCES

pytestmark = pytest.mark.cross

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wold-style-cast", "-Werror"]


def test_the_limits_of_a_job_compile(tmp_path: Path) -> None:
    source, made = SOURCES / "src/memory.cpp", tmp_path / "memory.obj"
    assert "QueryInformationJobObject" in source.read_text(encoding="utf-8")
    words = ["-target", "x86_64-windows-gnu", "-std=c++17", "-O0", *WARNINGS, "-c", str(source), "-o", str(made)]
    command = [sys.executable, "-m", "ziglang", "c++", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    assert made.read_bytes()[:2] == b"\x64\x86"  # IMAGE_FILE_MACHINE_AMD64
    assert b"QueryInformationJobObject" in made.read_bytes()
