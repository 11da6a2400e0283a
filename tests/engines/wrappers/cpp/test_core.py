"""The core against an engine of the tests' own (stub/): every case of core_test.cpp, each in a process of its own.

`make sanitize` gives it two other builds, under AddressSanitizer and UBSan and under ThreadSanitizer.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from edgekit.devices._runner import SOURCES
from tests import needs

pytestmark = pytest.mark.tools

STUB = Path(__file__).parent / "stub"
CASES = (
    *("cancel_between_pieces", "cancel_in_answer", "cancel_in_prompt", "close_in_answer", "conversations", "cycles"),
    *(
        "engines",
        "exit_in_answer",
        "faults",
        "many_threads",
        "no_continuation",
        "no_rewind",
        "pieces",
        "preflight",
        "slow_reader",
    ),
    *("trim", "trim_gives_back", "turns"),
)


@pytest.fixture(scope="module")
def program(runner: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """core-test, with libstub-engine.so beside it; another build of both where EDGEKIT_CORE_TEST names one."""
    if other := os.environ.get("EDGEKIT_CORE_TEST"):
        return Path(other)
    if not shutil.which("g++"):
        needs.unavailable("g++ is not installed")
    folder = tmp_path_factory.mktemp("core")
    compiler = ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{SOURCES / 'src'}"]
    engine = [*compiler, "-shared", "-fPIC", STUB / "engine.cpp", "-o", folder / "libstub-engine.so"]
    library = runner.parent / "libedgekit.so"
    test = [*compiler, STUB / "core_test.cpp", library, f"-Wl,-rpath,{library.parent}", "-ldl", "-pthread"]
    for command in (engine, [*test, "-o", folder / "core-test"]):
        subprocess.run(command, check=True, timeout=300)
    return folder / "core-test"


@pytest.mark.parametrize("case", CASES)
def test_case(program: Path, talking_bundle: Path, case: str) -> None:
    command = [program, case, talking_bundle, program.parent / "libstub-engine.so"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-4000:]


def test_every_case_is_asked(program: Path) -> None:
    done = subprocess.run([program], capture_output=True, text=True, check=True)
    assert sorted(done.stdout.split()) == sorted(CASES)
