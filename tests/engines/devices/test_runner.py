"""Where edgekit-runner is found, when it is refused, and what its build needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.devices import _runner
from edgekit.wrappers.python.manifest import host_abi


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.runtimes
@pytest.mark.parametrize(("words", "code"), [((), 2), (("linux-riscv64",), 7), (("a", "b"), 2)])
def test_the_line_s_own_mistakes(empty_cache: Path, words: tuple[str, ...], code: int) -> None:
    command = [sys.executable, "-m", "edgekit", "runner", "build", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code and "next: " in done.stderr and "Traceback" not in done.stderr


@pytest.mark.tools
def test_the_line_prints_the_runner(runner: Path) -> None:
    command = [sys.executable, "-m", "edgekit", "runner", "build", f"linux-{host_abi()}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == runner == _runner.find_runner("linux", host_abi())
