"""A build on a bad day: full disks, interrupts, damaged caches, two builds at once. Real injections.

Whatever happens: one line with cause and next step, the documented exit code, nothing half-written, and a rerun that
gives the same bundle, byte for byte.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

pytestmark = pytest.mark.olive

EDGEKIT = [sys.executable, "-m", "edgekit"]
NIGHTLY = os.environ.get("EDGEKIT_NIGHTLY") == "1"
SIZE = 1024  # the weights are SIZE x SIZE float32: 4 MiB
NAME = "net-linux-cpu"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real ONNX model of one layer with 4 MiB of weights."""
    path = tmp_path_factory.mktemp("model") / "net.onnx"
    values = np.random.default_rng(7).standard_normal((SIZE, SIZE), dtype=np.float32) / 32
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Relu", ["h"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, SIZE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, SIZE])],
        [numpy_helper.from_array(values, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def command(model: Path | str, out: Path, *words: str) -> list[str]:
    """A build in which the float recipe is asked for: the quickest of those that run Olive."""
    return [*EDGEKIT, "build", *words, "--target", "linux-cpu", "--recipe", "float32", "-o", str(out), "--", str(model)]


def environment(cache: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "EDGEKIT_CACHE": str(cache), **more}


def build(model: Path | str, out: Path, cache: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(model, out, *words), capture_output=True, text=True, check=False, env=environment(cache, **more)
    )


def hears_ctrl_c() -> None:
    """A shell that starts the tests in the background has them, and all below them, ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def digest(out: Path) -> str:
    """The manifest's own sha256, which covers every file of a bundle; `edgekit verify` has read them all."""
    subprocess.run([*EDGEKIT, "verify", str(out / NAME)], check=True, capture_output=True)
    return str(json.loads((out / NAME / "edgekit.json").read_text(encoding="utf-8"))["sha256"])


def one_line(done: subprocess.CompletedProcess[str], code: int, *said: str) -> None:
    """The documented exit code, one error line with its cause, a next step, no traceback."""
    assert done.returncode == code, done.stderr
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert all(word in line for word in said), line
    assert "  next: " in done.stderr and "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def reference(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The digest of an undisturbed build, and its cache (to be copied, never changed)."""
    folder = tmp_path_factory.mktemp("reference")
    done = build(model, folder / "out", folder / "cache")
    assert done.returncode == 0, done.stderr
    return digest(folder / "out"), folder / "cache"


@pytest.fixture
def warm(reference: tuple[str, Path], tmp_path: Path) -> Path:
    """A cache in which the model is optimized already, but in which no bundle is remembered."""
    shutil.copytree(reference[1], tmp_path / "cache")
    shutil.rmtree(tmp_path / "cache" / "bundle")
    return tmp_path / "cache"


@pytest.fixture
def small_disk(tmp_path: Path, need_root: None) -> Iterator[Callable[[int], Path]]:
    """small_disk(KIB) -> a real file system of that size."""
    mounted: list[Path] = []

    def mount(kib: int) -> Path:
        folder = tmp_path / f"disk-{kib}-{len(mounted)}"
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder)], check=True)
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.tools
@pytest.mark.parametrize("kib", [64, 2048, 4400])
def test_a_full_disk_under_the_output(
    kib: int, model: Path, warm: Path, reference: tuple[str, Path], small_disk: Callable[[int], Path], tmp_path: Path
) -> None:
    """Too small for the runtime, for the model, for the last files; then on a larger one."""
    disk = small_disk(kib)
    one_line(build(model, disk / "out", warm), 5, "disk is full")
    assert not (disk / "out").exists() or list((disk / "out").iterdir()) == []
    assert build(model, tmp_path / "out", warm).returncode == 0
    assert digest(tmp_path / "out") == reference[0]


@pytest.mark.tools
@pytest.mark.parametrize("kib", [512, 6144])
def test_a_full_disk_under_the_cache(
    kib: int, model: Path, reference: tuple[str, Path], small_disk: Callable[[int], Path], tmp_path: Path
) -> None:
    """In Olive's own work and when its result is kept; then with a larger cache."""
    disk = small_disk(kib)
    one_line(build(model, tmp_path / "out", disk / "cache"), 5, "disk is full")
    assert not (tmp_path / "out").exists()
    left = [path for path in disk.rglob("*") if path.is_file() and "optimize" in path.parts and path.suffix != ".lock"]
    assert left == []


def test_a_child_that_may_not_have_the_memory_it_needs(model: Path, tmp_path: Path) -> None:
    """An address space in which Olive's libraries fit and nothing else does."""
    shell = f"ulimit -v 700000; exec {' '.join(map(str, command(model, tmp_path / 'out')))}"
    done = subprocess.run(
        ["sh", "-c", shell], capture_output=True, text=True, check=False, env=environment(tmp_path / "cache")
    )
    one_line(done, 5, "ran out of memory")
    assert not (tmp_path / "out").exists()


STEPS = ("opening", "quantizing", "staging", "placement", "quality", "recording", "sealing")


@pytest.mark.parametrize("step", STEPS if NIGHTLY else ("quality", "sealing"))
def test_a_build_stopped_by_ctrl_c_in_a_step(
    step: str, model: Path, warm: Path, reference: tuple[str, Path], tmp_path: Path
) -> None:
    """Of builds that are killed see tests/kill."""
    if step == "quantizing":
        shutil.rmtree(warm / "optimize")
    with subprocess.Popen(
        command(model, tmp_path / "out"),
        stderr=subprocess.PIPE,
        text=True,
        env=environment(warm),
        preexec_fn=hears_ctrl_c,
    ) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if line.startswith(step):
                running.send_signal(signal.SIGINT)
                break
        rest = running.stderr.read()
        code = running.wait(timeout=60)
    assert code == 130 and "Traceback" not in rest, rest
    assert not (tmp_path / "out" / NAME).exists()
    completes(model, warm, reference, tmp_path)


def completes(model: Path, cache: Path, reference: tuple[str, Path], folder: Path) -> None:
    """A rerun gives the same bundle and leaves nothing beside it."""
    again = build(model, folder / "out", cache)
    assert again.returncode == 0, again.stderr
    assert digest(folder / "out") == reference[0]
    assert [path.name for path in (folder / "out").iterdir()] == [NAME]
    assert not [path for path in cache.rglob(".*") if path.is_dir()]


@pytest.mark.nightly
def test_two_builds_of_the_same_thing_at_once(model: Path, reference: tuple[str, Path], tmp_path: Path) -> None:
    """Both end well; the second waits and finds what the first made."""
    both = [
        subprocess.Popen(
            command(model, tmp_path / "out"), stderr=subprocess.PIPE, text=True, env=environment(tmp_path / "cache")
        )
        for _ in range(2)
    ]
    said = [running.communicate(timeout=300)[1] for running in both]
    assert [running.returncode for running in both] == [0, 0], said
    assert digest(tmp_path / "out") == reference[0]


def test_two_builds_that_share_a_stage(model: Path, reference: tuple[str, Path], tmp_path: Path) -> None:
    """Two outputs, one quantization: it is done once."""
    outs = [tmp_path / "one", tmp_path / "two"]
    both = [
        subprocess.Popen(command(model, out), stderr=subprocess.PIPE, text=True, env=environment(tmp_path / "cache"))
        for out in outs
    ]
    said = [running.communicate(timeout=300)[1] for running in both]
    assert [running.returncode for running in both] == [0, 0], said
    assert [digest(out) for out in outs] == [reference[0]] * 2
    assert len([path for path in (tmp_path / "cache" / "optimize").iterdir() if path.is_dir()]) == 1


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone", "record"] if NIGHTLY else ["flipped"])
def test_a_damaged_cache_entry_is_made_again(
    damage: str, model: Path, warm: Path, reference: tuple[str, Path], tmp_path: Path
) -> None:
    (entry,) = (path for path in (warm / "optimize").iterdir() if path.is_dir())
    stored = entry / "model" / "model.onnx"
    raw = bytearray(stored.read_bytes())
    if damage == "flipped":
        raw[len(raw) // 2] ^= 1
        stored.write_bytes(raw)
    elif damage == "cut":
        stored.write_bytes(raw[: len(raw) // 2])
    elif damage == "gone":
        stored.unlink()
    else:
        (entry / "entry.json").write_text("{")
    done = build(model, tmp_path / "out", warm)
    assert done.returncode == 0, done.stderr
    assert "damaged" in done.stderr
    assert digest(tmp_path / "out") == reference[0]


def test_a_clock_that_goes_back(model: Path, warm: Path, reference: tuple[str, Path], tmp_path: Path) -> None:
    """Everything in the cache, and the source, is from next year."""
    later = time.time() + 365 * 86400
    future = tmp_path / "net.onnx"
    shutil.copy(model, future)
    for path in (future, *warm.rglob("*")):
        os.utime(path, (later, later))
    assert build(future, tmp_path / "out", warm).returncode == 0
    assert digest(tmp_path / "out") == reference[0]
    pruned = [*EDGEKIT, "cache", "prune", "--older-than", "30", "--json"]
    assert subprocess.run(pruned, capture_output=True, check=False, env=environment(warm)).returncode == 0


@pytest.mark.tools
def test_a_home_that_cannot_be_written(model: Path, warm: Path, need_root: None, tmp_path: Path) -> None:
    """With a cache elsewhere a build completes; with the cache in that home it says what to set."""
    home = tmp_path / "home"
    home.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(home)], check=True)
    try:
        done = build(model, tmp_path / "out", warm, HOME=str(home))
        assert done.returncode == 0, done.stderr
        bare = {key: value for key, value in os.environ.items() if key not in ("EDGEKIT_CACHE", "XDG_CACHE_HOME")}
        words = command(model, tmp_path / "other")
        done = subprocess.run(words, capture_output=True, text=True, check=False, env={**bare, "HOME": str(home)})
    finally:
        subprocess.run(["umount", str(home)], check=True)
    one_line(done, 2, "cannot write the cache folder")
    assert "EDGEKIT_CACHE" in done.stderr


@pytest.mark.parametrize(
    "name",
    ["-dash.onnx", "two words.onnx", "mödel 模型.onnx", "quote'$(x).onnx"] if NIGHTLY else ["-mödel 模型'$(x).onnx"],
)
def test_awkward_paths(name: str, model: Path, warm: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a folder ünï"
    folder.mkdir()
    shutil.copy(model, folder / name)
    done = subprocess.run(
        command(name, Path("out put")), capture_output=True, text=True, check=False, env=environment(warm), cwd=folder
    )
    assert done.returncode == 0, done.stderr
    (bundle,) = (path for path in (folder / "out put").iterdir() if path.is_dir())
    assert subprocess.run([*EDGEKIT, "verify", str(bundle)], capture_output=True, check=False).returncode == 0
