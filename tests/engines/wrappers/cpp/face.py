"""The C++ face, edgekit.hpp, in a program that uses it (driver.cpp), by g++ with every warning an error."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from edgekit.devices._runner import SOURCES
from tests import needs
from tests.engines.wrappers.conformance_face import FaceProcess

HERE = Path(__file__).parent
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wold-style-cast", "-Werror")
README = """#include <edgekit.hpp>
#include <iostream>

inline std::string readme(const std::string& folder) {{
{lines}
    return saved;
}}
"""


def readme_lines() -> str:
    """The C++ that the core's README shows."""
    (lines,) = re.findall(r"```cpp\n(.*?)```", (SOURCES / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    return str(lines).rstrip()


def compile_driver(library: Path, folder: Path, *more: str) -> Path:
    """The program; it finds libedgekit where that was built."""
    (folder / "readme.h").write_text(README.format(lines=readme_lines()), encoding="utf-8")
    linked = [library, f"-Wl,-rpath,{library.parent}", "-o", folder / "driver"]
    compile_face(HERE / "driver.cpp", "-O1", "-pthread", f"-I{folder}", *linked, *more)
    return folder / "driver"


def compile_face(source: Path, *words: Any) -> None:
    """A source that takes edgekit.hpp alone."""
    if not shutil.which("g++"):
        needs.unavailable("g++ is not installed")
    command = ["g++", "-std=c++17", *WARNINGS, f"-I{SOURCES / 'src'}", source, *words]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]


def driver(program: Path, folder: Path, **env: str) -> FaceProcess:
    """A process of it."""
    return FaceProcess([program], folder, env)
