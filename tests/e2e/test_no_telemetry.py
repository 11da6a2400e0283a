"""Nobody is told anything: no connection is attempted and no identity is written, by edgekit or by its engines.

Every system call for the network of the command and of all its children is recorded by strace.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.test_bad_input import net

pytestmark = pytest.mark.tools

EDGEKIT = [sys.executable, "-m", "edgekit"]
# A connection to an address of the internet, or data sent to one; asking for a name goes to port 53 first.
NETWORK = re.compile(r"(connect|sendto|sendmsg)\(.*sa_family=AF_INET6?\b")


@pytest.fixture
def traced(tmp_path: Path, need_tool: Callable[[str], Path]) -> Callable[..., list[str]]:
    """traced("build", ...) -> the network calls of that command and its children, in a home of its own."""
    strace = need_tool("strace")
    for name in ("home", "cache"):
        (tmp_path / name).mkdir()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "HF_", "ORT_", "OLIVE_"))}
    environment = {**kept, "HOME": str(tmp_path / "home"), "EDGEKIT_CACHE": str(tmp_path / "cache")}
    environment.pop("CI", None)  # engines keep quiet on CI of their own accord

    def run(*words: str | Path) -> list[str]:
        log = tmp_path / "trace"
        command = [strace, "--follow-forks", "--seccomp-bpf", "-e", "trace=network", "-o", log, *EDGEKIT, *words]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr
        return [line for line in log.read_text(errors="replace").splitlines() if NETWORK.search(line)]

    return run


def test_the_trace_sees_a_connection(tmp_path: Path, need_tool: Callable[[str], Path]) -> None:
    """The rule can fail: a connection to a closed port of this machine is seen."""
    code = "import socket; socket.socket().connect_ex(('127.0.0.1', 9))"
    log = tmp_path / "trace"
    subprocess.run(
        [need_tool("strace"), "-f", "-e", "trace=network", "-o", log, sys.executable, "-c", code], check=True
    )
    assert any(NETWORK.search(line) for line in log.read_text().splitlines())


def test_build_check_and_run_connect_to_nobody(traced: Callable[..., list[str]], tmp_path: Path) -> None:
    model = net(tmp_path / "net.onnx")
    bundle = tmp_path / "out" / "net-linux-cpu"
    assert traced("build", model, "--target", "linux-cpu", "--recipe", "float32", "-o", tmp_path / "out") == []
    assert traced("check", bundle, "--quick") == []
    values = tmp_path / "x.npy"
    np.save(values, np.ones((1, 64), np.float32))
    assert traced("run", bundle, "--input", values) == []
    written = [path.relative_to(tmp_path).as_posix() for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert written == []


def test_a_language_model_connects_to_nobody(
    traced: Callable[..., list[str]], catalogue_bundle: Callable[[str], Path], tmp_path: Path
) -> None:
    bundle = catalogue_bundle("smollm2-135m-instruct")
    assert traced("run", bundle, "Hello", "--max-tokens", "4") == []
    assert traced("check", bundle, "--quick", "-o", tmp_path / "result.json") == []
    assert [path for path in (tmp_path / "home").rglob("*") if path.is_file()] == []
