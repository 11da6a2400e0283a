"""What a unit test must not do, and how it is held to it: start a process, or import an engine.

An audit hook and a finder on sys.meta_path raise on the spot, with an error that no `except Exception` swallows; a
worker thread's own is remembered and raised when the test ends. Engines that another test of this process has
imported are hidden while a unit test runs, so that the order of tests changes nothing.
"""

from __future__ import annotations

import _posixsubprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn

import pytest

# Packages, and modules of one that is empty itself. What only reads and writes files is no engine: onnx, gguf,
# safetensors, tokenizers, huggingface_hub.
ENGINES = {
    *("accelerate", "datasets", "olive", "onnxruntime", "onnxruntime_ep_webgpu", "onnxruntime_genai"),
    *("onnxruntime_qnn", "optimum.exporters", "optimum.onnxruntime", "peft", "torch", "transformers"),
}
STARTS = {
    *("subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile"),
    *("os.system", "pty.spawn"),
}
_watched: list[list[str]] = []  # what the test that runs now has done; empty where none is watched


def is_engine(module: str) -> bool:
    return module.partition(".")[0] in ENGINES or ".".join(module.split(".")[:2]) in ENGINES


def _broken(what: str) -> NoReturn:
    message = f"a unit test {what}: it belongs in tests/engines (tests/README.md)"
    _watched[-1].append(message)
    pytest.fail(message)


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if _watched and event in STARTS:
        _broken(f"started a process ({event} {args[0] if args else ''})".replace(" )", ")"))


class _NoEngines:
    """A finder that finds nothing and refuses engines."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        # find_spec() of importlib.util asks for a module without importing it: that is allowed
        if _watched and is_engine(name) and not _only_asked():
            _broken(f"imported the engine {name}")
        return None


def _only_asked() -> bool:
    frame = sys._getframe(2)
    while frame and frame.f_globals.get("__name__", "").startswith("importlib"):
        if frame.f_code.co_name == "_find_and_load":
            return False
        frame = frame.f_back  # type: ignore[assignment]
    return True


def install() -> None:
    """Once a process; a hook of sys.addaudithook cannot be taken away."""
    sys.addaudithook(_audit)
    sys.meta_path.insert(0, _NoEngines())
    spawn = _posixsubprocess.fork_exec

    def fork_exec(*args: Any) -> int:  # multiprocessing calls it without an audit event
        if _watched:
            _broken("started a process (fork_exec)")
        return spawn(*args)

    _posixsubprocess.fork_exec = fork_exec


@contextmanager
def watched() -> Iterator[list[str]]:
    """No process and no engine until the end; gives what was done nevertheless."""
    hidden = {name: module for name, module in sys.modules.items() if is_engine(name)}
    for name in hidden:
        del sys.modules[name]
    done: list[str] = []
    _watched.append(done)
    try:
        yield done
    finally:
        _watched.remove(done)
        sys.modules.update(hidden)
