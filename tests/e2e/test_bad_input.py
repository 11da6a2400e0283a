"""A user's mistakes, each as it is typed: one line, the documented exit code, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

pytestmark = pytest.mark.runtimes

EDGEKIT = [sys.executable, "-m", "edgekit"]
SWIFT = "pypi:swift-f0==0.3.0#swift_f0/model.onnx"


def net(path: Path) -> Path:
    """A small real ONNX model."""
    weights = numpy_helper.from_array(np.eye(64, dtype=np.float32), "w")
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 64]) for name in ("x", "y")]
    graph = helper.make_graph([node], "net", ends[:1], ends[1:], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@dataclass(frozen=True)
class Mistake:
    """What is typed, how it is prepared, and what must come of it."""

    words: Callable[[Path], list[str]]
    code: int
    said: str


def _empty(folder: Path) -> list[str]:
    (folder / "empty.onnx").write_bytes(b"")
    return [str(folder / "empty.onnx"), "--target", "linux-cpu"]


def _truncated(folder: Path) -> list[str]:
    whole = net(folder / "cut.onnx").read_bytes()
    (folder / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    return [str(folder / "cut.onnx"), "--target", "linux-cpu"]


def _unknown_key(folder: Path) -> list[str]:
    (folder / "mine.toml").write_text('extends = "linux-cpu"\nname = "mine"\n[llm]\nmax_lenght = 12\n')
    return [str(net(folder / "net.onnx")), "--target", str(folder / "mine.toml")]


def _unknown_metric(folder: Path) -> list[str]:
    (folder / "mine.toml").write_text(
        'extends = "linux-cpu"\nname = "mine"\n[tensor.budget]\nlatency_p91_ms = { max = 9 }\n'
    )
    return [str(net(folder / "net.onnx")), "--target", str(folder / "mine.toml")]


MISTAKES = {
    "missing path": Mistake(lambda f: [str(f / "gone.onnx"), "--target", "linux-cpu"], 4, "there is no "),
    "empty file": Mistake(_empty, 4, "empty.onnx is empty"),
    "truncated ONNX": Mistake(_truncated, 4, "cut off"),
    "unknown model": Mistake(lambda f: ["swift-f1", "--target", "linux-cpu"], 4, "did you mean 'swift-f0'"),
    "unknown target": Mistake(lambda f: ["swift-f0", "--target", "linux-cpuu"], 3, "did you mean 'linux-cpu'"),
    "unknown key in a target": Mistake(_unknown_key, 3, "did you mean 'max_length'"),
    "unknown metric in a target": Mistake(_unknown_metric, 3, "tensor.budget: no metric 'latency_p91_ms'"),
    "unknown recipe": Mistake(
        lambda f: [str(net(f / "net.onnx")), "--target", "linux-cpu", "--recipe", "int8_qdqq"],
        2,
        "did you mean 'int8_qdq'",
    ),
    "recipe of the other kind": Mistake(
        lambda f: [str(net(f / "net.onnx")), "--target", "linux-cpu", "--recipe", "int4_rtn"], 2, "is for llm models"
    ),
    "calibration needed": Mistake(
        lambda f: [str(net(f / "net.onnx")), "--target", "linux-cpu", "--recipe", "int8_qdq"],
        2,
        "needs calibration data",
    ),
    "wrong sha256": Mistake(lambda f: [f"{SWIFT}@sha256={'0' * 64}", "--target", "linux-cpu"], 4, "has sha256"),
    "no target": Mistake(lambda f: ["swift-f0"], 2, "--target"),
    "output is a file": Mistake(
        lambda f: [str(net(f / "net.onnx")), "--target", "linux-cpu", "-o", str(net(f / "taken"))], 2, "taken"
    ),
    "unknown limit": Mistake(
        lambda f: [str(net(f / "net.onnx")), "--target", "linux-cpu", "--limit", "cosine_men:min=1"], 2, "cosine_mean"
    ),
    "limit of the other kind": Mistake(
        lambda f: [str(net(f / "net.onnx")), "--target", "linux-cpu", "--limit", "kl_mean:max=1"], 2, "of llm models"
    ),
    "limit outside of its range": Mistake(
        lambda f: [str(net(f / "net.onnx")), "--target", "linux-cpu", "--limit", "cosine_mean:min=99"], 2, "no value"
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_ends_in_one_line(name: str, tmp_path: Path) -> None:
    mistake = MISTAKES[name]
    words = mistake.words(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    out = [] if "-o" in words else ["-o", str(tmp_path / "out")]
    command = [*EDGEKIT, "build", *words, *out]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == mistake.code, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and mistake.said in errors[0]
    assert "next: " in done.stderr and "Traceback" not in done.stderr
    assert sorted(tmp_path.rglob("*")) == before
    document = json.loads(subprocess.run([*command, "--json"], capture_output=True, text=True, check=False).stdout)
    assert document["exit_code"] == mistake.code and document["data"] is None and document["error"]["next"]


def test_an_output_folder_that_cannot_be_written(tmp_path: Path, need_other_user: list[str]) -> None:
    """As somebody who is not root: for root every folder is writable."""
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o755)
    model = net(tmp_path / "net.onnx")
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o777)
    cache.chmod(0o777)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o055)
    command = [*need_other_user, *EDGEKIT, "build", str(model), "--target", "linux-cpu", "-o", str(locked / "out")]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "EDGEKIT_CACHE": str(cache)}
    )
    assert done.returncode == 2, done.stderr
    assert "no permission" in done.stderr and "locked" in done.stderr
    assert list(locked.iterdir()) == []


@pytest.mark.olive
def test_ctrl_c_leaves_nothing_and_a_rerun_completes(tmp_path: Path) -> None:
    model = net(tmp_path / "net.onnx")
    environment = {**os.environ, "EDGEKIT_CACHE": str(tmp_path / "cache")}
    command = [*EDGEKIT, "build", str(model), "--target", "linux-cpu", "-o", str(tmp_path / "out")]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        # a shell that starts the tests in the background has them ignore it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if line.startswith("quantizing"):
                running.send_signal(signal.SIGINT)
                break
        rest = running.stderr.read()
        assert running.wait(timeout=60) == 130
    assert "interrupted" in rest and "Traceback" not in rest
    assert not (tmp_path / "out").exists()
    left = [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert all("optimize" not in path.parts for path in left)
    again = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert again.returncode == 0, again.stderr
