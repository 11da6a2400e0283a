"""What the core is built with in CI finds the faults it is there for; each was, or could be, a line of the core."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.devices._runner import SOURCES

pytestmark = pytest.mark.tools

PROGRAM = """#include <cmath>
#include <cstdio>
#include <vector>
int main(int count, char** words) {
    size_t passed = 0;
    %s
    std::printf("%%zu", passed);
    return words[count] ? 1 : 0;
}
"""
READ = "const Json variant = Json::parse(words[count - 1]);"
LOOP = "for (const auto& [key, value] : %s.items()) passed += key.size() + value.size();"
OPTIONS = 'edgekit::value_or(variant, "ep_options", Json::object())'


def program(line: str) -> str:
    """A program with this line in it; JSON takes seconds to compile."""
    return ('#include "json.h"\nusing edgekit::Json;\n' if "Json" in line else "") + PROGRAM % line


def flags() -> list[str]:
    """Those of CMakeLists.txt."""
    found = re.search(r"set\(sanitizers ([^)]*)\)", (SOURCES / "CMakeLists.txt").read_text(encoding="utf-8"))
    assert found
    return found[1].split()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (f"{READ} const Json chosen = {OPTIONS}; {LOOP % 'chosen'}", ""),
        (f"{READ} {LOOP % OPTIONS}", "stack-use-after-scope"),  # so provider options were lost once
        pytest.param(
            "std::vector<int> few(3); passed = few.data()[passed + 3];",
            "heap-buffer-overflow",
            marks=pytest.mark.nightly,
        ),
        pytest.param(
            'passed = static_cast<size_t>(static_cast<int>(std::nan("")));',
            "is outside the range",
            marks=pytest.mark.nightly,
        ),
        pytest.param(
            "int most = 2147483647; most += count; passed = most > 0;",
            "signed integer overflow",
            marks=pytest.mark.nightly,
        ),
        ("passed = (new std::vector<int>(7))->size();", "detected memory leaks"),
    ],
)
def test_a_fault_ends_the_program(need_tool: Callable[[str], Path], tmp_path: Path, line: str, says: str) -> None:
    source, built = tmp_path / "fault.cpp", tmp_path / "fault"
    source.write_text(program(line), encoding="utf-8")
    command = [need_tool("g++"), "-std=c++17", "-O1", *flags(), "-I", SOURCES / "src", source, "-o", built]
    subprocess.run(command, check=True, timeout=600)
    env = {name: value for name, value in os.environ.items() if not name.endswith("SAN_OPTIONS")}
    done = subprocess.run([built, '{"ep_options": {"a": "1"}}'], env=env, capture_output=True, text=True, check=False)
    assert says in done.stderr
    assert (done.returncode, done.stdout) == (0, "2") if not says else done.returncode != 0


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("line", "says"),
    [
        (f"{READ} const Json chosen = {OPTIONS}; {LOOP % 'chosen'}", ""),
        (
            "Json moved = variant; Json other = std::move(moved); passed = moved.size() + other.size();",
            "use-after-move",
        ),
        ("int unset; passed = static_cast<size_t>(unset);", "init-variables"),
        ("int* none = nullptr; if (count) passed = static_cast<size_t>(*none);", "NullDereference"),
    ],
)
def test_clang_tidy_sees_it(need_tool: Callable[[str], Path], tmp_path: Path, line: str, says: str) -> None:
    source = tmp_path / "fault.cpp"
    source.write_text(program(line), encoding="utf-8")
    config = f"--config-file={SOURCES / '.clang-tidy'}"
    command = [need_tool("clang-tidy"), "--quiet", config, source, "--", "-std=c++17", f"-I{SOURCES / 'src'}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert (done.returncode != 0) == bool(says), done.stdout
    assert says in done.stdout
