"""The command line as a process: what it imports, signals, and readers that stop."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from edgekit import commands
from tests import needs

pytestmark = pytest.mark.runtimes
ROOT = Path(__file__).parents[3]


def test_help_imports_no_command_and_nothing_heavy() -> None:
    code = (
        "import sys; from edgekit import commands; assert commands.main(['--help']) == 0\n"
        "print(*sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(done.stderr.split())
    assert not {f"edgekit.commands.{name}" for name in commands.names()} & loaded
    assert not {"numpy", "onnx", "onnxruntime", "pydantic", "rich", "torch", "olive"} & loaded


@pytest.mark.parametrize("name", commands.names())
def test_importing_a_command_loads_no_engine(name: str) -> None:
    """Tab completion imports commands, so the engines come only when one of them runs."""
    code = f"import sys, edgekit.commands.{name}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"onnx", "onnxruntime", "onnxruntime_genai", "torch", "olive"} & set(done.stdout.split())


def driver(folder: Path, words: str) -> list[str]:
    """A real process whose command line has the command in `folder` too."""
    code = (
        f"import sys; from edgekit import commands as c; c.__path__.append({str(folder)!r}); names = c.names()\n"
        "c.names = lambda: [*names, 'probe']; sys.exit(c.main())"
    )
    return [sys.executable, "-c", code, *words.split()]


@needs.posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_cleans_up_and_exits_with_130(plugged: Any, number: signal.Signals) -> None:
    folder = plugged(
        "from edgekit import tools\n"
        "try:\n"
        "    console.out('started')\n"
        "    tools.run(['sleep', '600'], timeout=600)\n"
        "finally:\n"
        "    console.out('cleaned up')"
    )
    with subprocess.Popen(
        driver(folder, "probe"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "started\n"
        time.sleep(0.2)  # into the child's run; earlier is right too
        process.send_signal(number)
        assert process.wait(60) == 130
        assert process.stdout.read() == "cleaned up\n"
        assert process.stderr.read().startswith("error: interrupted\n")


def test_nohup_keeps_a_command_running(plugged: Any) -> None:
    folder = plugged("import signal\nos.kill(os.getpid(), signal.SIGHUP)\nconsole.out('still here')")
    code = "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    command = [sys.executable, "-c", code, *driver(folder, "probe")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, "still here\n")


@pytest.mark.parametrize("body", ["for _ in range(100000): console.out('x' * 100)", "console.out('one')"])
def test_a_reader_that_stops_reading_ends_the_command_in_silence(plugged: Any, body: str) -> None:
    folder = plugged(f"import time\n{body}\nconsole.out('two' * 100000)")
    with subprocess.Popen(
        driver(folder, "probe"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 141
        assert process.stderr.read() == ""


def test_the_module_and_the_entry_point_are_the_same_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edgekit", "--version"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.startswith("edgekit ")
    failed = subprocess.run([sys.executable, "-m", "edgekit", "nope"], capture_output=True, check=False, cwd=ROOT)
    assert failed.returncode == 2
