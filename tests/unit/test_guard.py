"""The guard of unit tests sees every way to start a process or to import an engine, and lets the rest be."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.util import find_spec
from types import ModuleType

import pytest

from tests import guard

pytestmark = pytest.mark.unit

NOTHING = [sys.executable, "-c", "raise SystemExit(3)"]  # were exec not caught, this run would not end well
WAYS: dict[str, Callable[[], object]] = {
    "run": lambda: subprocess.run(NOTHING),
    "system": lambda: os.system("true"),
    "popen": lambda: os.popen("true"),
    "fork": os.fork,
    "forkpty": os.forkpty,
    "pty": lambda: pty.spawn(NOTHING),
    "posix_spawn": lambda: os.posix_spawn(sys.executable, NOTHING, {}),
    "spawnv": lambda: os.spawnv(os.P_WAIT, sys.executable, NOTHING),
    "exec": lambda: os.execv(sys.executable, NOTHING),
    "forked": lambda: multiprocessing.get_context("fork").Process(target=int).start(),
    "spawned": lambda: multiprocessing.get_context("spawn").Process(target=int).start(),
    "server": lambda: multiprocessing.get_context("forkserver").Process(target=int).start(),
    "import": lambda: importlib.import_module("onnxruntime"),
    "from": lambda: importlib.import_module("onnxruntime.quantization"),
    "genai": lambda: importlib.import_module("onnxruntime_genai"),
    "torch": lambda: __import__("torch"),
    "olive": lambda: __import__("olive.workflows"),
    "optimum": lambda: importlib.import_module("optimum.exporters.onnx"),
}


@pytest.mark.parametrize("way", sorted(WAYS))
def test_it_is_refused_where_it_happens(way: str) -> None:
    with guard.watched() as done, pytest.raises(pytest.fail.Exception, match=r"a unit test (started|imported)"):
        WAYS[way]()
    assert done


def test_no_exception_handler_hides_it() -> None:
    with guard.watched() as done:
        try:
            try:
                subprocess.run(NOTHING)
            except Exception:
                pytest.fail("swallowed")
        except BaseException as error:
            assert "started a process" in str(error)
    assert len(done) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_s_deed_is_remembered() -> None:
    with guard.watched() as done:
        thread = threading.Thread(target=WAYS["run"])
        thread.start()
        thread.join()
    assert len(done) == 1


def test_an_engine_that_is_there_already_is_refused_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    there = ModuleType("torch")
    monkeypatch.setitem(sys.modules, "torch", there)
    with guard.watched(), pytest.raises(pytest.fail.Exception):
        import torch  # noqa: F401
    assert sys.modules["torch"] is there


def test_what_is_no_engine_and_what_is_only_asked_for_is_allowed() -> None:
    with guard.watched() as done:
        importlib.import_module("onnx.helper")
        find_spec("torch")
        find_spec("optimum.exporters")
    assert not done
