"""A model, its data or its text that another process changes while it is built: exit 4, no bundle, nothing kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from edgekit import cache, commands, console, sources
from edgekit.bundle.read import read
from edgekit.errors import SourceError
from edgekit.quality import _reference
from tests.olive import tiny_llm
from tests.olive.test_llm_gates import context
from tests.unit.inputs.nets import save, value
from tests.unit.jobs.test_gguf import random_weights, write

pytestmark = pytest.mark.olive

TURNED = "import sys; p = sys.argv[1]; b = open(p, 'rb').read(); open(p, 'wb').write(b[::-1] if b else b'x')"
Change = Callable[[Path], None]


def net(folder: Path, seed: int = 3) -> Path:
    """y = relu(x @ w), the weights in a file of their own."""
    weights = np.random.default_rng(seed).normal(0, 0.2, (64, 32)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"], name="layer"), helper.make_node("Relu", ["h"], ["y"])]
    folder.mkdir(parents=True, exist_ok=True)
    path = save(folder / "net.onnx", nodes, [value("x", [1, 64])], [value("y", [1, 32])], {"w": weights})
    kept = {"location": "net.weights", "size_threshold": 0, "save_as_external_data": True}
    onnx.save(onnx.load(path), path, **kept)
    return path


def turned(path: Path) -> None:
    """Other bytes of the same length and date, written by another process."""
    dates = path.stat().st_atime_ns, path.stat().st_mtime_ns
    subprocess.run([sys.executable, "-c", TURNED, str(path)], check=True)
    os.utime(path, ns=dates)


def there_and_back(path: Path) -> None:
    turned(path)
    turned(path)


def weights(folder: Path) -> None:
    turned(folder / "net.weights")


def graph(folder: Path) -> None:
    turned(folder / "net.onnx")


def restored(folder: Path) -> None:
    there_and_back(folder / "net.weights")


def replaced(folder: Path) -> None:
    net(folder / "new", seed=4)
    for path in (folder / "new").iterdir():
        path.replace(folder / path.name)


@pytest.fixture
def during(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], None]], list[str]]:
    """during("staging", change): the change happens when the step of this name has begun."""

    def arrange(name: str, change: Callable[[], None]) -> list[str]:
        real, begun = console.step, []

        @contextmanager
        def step(title: str) -> Iterator[None]:
            with real(title):
                if title.startswith(name) and not begun:
                    begun.append(title)
                    change()
                yield

        monkeypatch.setattr(console, "step", step)
        return begun

    return arrange


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def build(model: Path, out: Path, recipe: str, *more: str) -> int:
    return commands.main(["build", str(model), "--target", "linux-cpu", "--recipe", recipe, "-o", str(out), *more])


def kept(root: Path, *stages: str) -> list[Path]:
    return [path for stage in stages for path in (root / stage).glob("*") if path.suffix != ".lock"]


CASES = [
    ("int8_dynamic", "quantizing", weights),
    ("keep", "placement", replaced),
    ("keep", "quality", restored),
]
MORE_CASES = [
    ("int8_dynamic", "quantizing", restored),
    ("int8_dynamic", "quantizing", graph),
    ("keep", "staging", weights),
    ("keep", "quality", weights),
    ("keep", "recording goldens", weights),
]


@pytest.mark.parametrize(
    ("recipe", "step", "change"),
    [*CASES, *(pytest.param(*case, marks=pytest.mark.nightly) for case in MORE_CASES)],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_net_that_changes_in_a_step(
    recipe: str,
    step: str,
    change: Change,
    own_cache: Path,
    tmp_path: Path,
    during: Callable[..., list[str]],
    capfd: pytest.CaptureFixture[str],
) -> None:
    model, out = net(tmp_path / "model"), tmp_path / "out"
    begun = during(step, lambda: change(model.parent))
    assert build(model, out, recipe) == 4
    assert begun
    said = capfd.readouterr().err
    assert "the model net.onnx changed while it was read" in said and "Traceback" not in said
    assert not out.exists()
    assert not kept(own_cache, "bundle") and (step != "quantizing" or not kept(own_cache, "optimize"))

    if recipe == "keep":
        shutil.rmtree(model.parent)
        net(model.parent)  # the right one again
        assert build(model, out, recipe) == 0
        assert stored(out) == stored(model)


def stored(place: Path) -> list[bytes]:
    """The weights of a graph, or of a bundle in an output folder."""
    path = place if place.is_file() else place / "net-linux-cpu" / "model" / "portable" / "model.onnx"
    return [one.raw_data for one in onnx.load(path).graph.initializer]


def test_another_model_of_the_same_names_sizes_and_dates(own_cache: Path, tmp_path: Path) -> None:
    """As of two archives with clamped dates, unpacked over each other."""
    out = tmp_path / "out"
    for seed in (3, 4):
        model = net(tmp_path / "model", seed)
        for path in model.parent.iterdir():
            os.utime(path, (315532800, 315532800))
        assert build(model, out, "keep") == 0
        assert stored(out) == stored(model)


def test_a_net_that_changes_while_it_is_kept(own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = net(tmp_path / "model")
    real = shutil.copyfile

    def copied(start: Path, end: Path) -> Any:
        done = real(start, end)
        if Path(start).name == "net.onnx":
            weights(model.parent)
        return done

    monkeypatch.setattr(shutil, "copyfile", copied)
    assert build(model, tmp_path / "out", "keep") == 4
    assert not kept(own_cache, "optimize", "bundle") and not (tmp_path / "out").exists()


def test_a_net_that_changes_while_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgekit.sources import onnx as place

    model = net(tmp_path / "model")
    real = place.read_model

    def changed(*words: Any, **named: Any) -> Any:
        found = real(*words, **named)
        restored(model.parent)
        return found

    monkeypatch.setattr(place, "read_model", changed)
    with pytest.raises(SourceError, match="changed while it was read"):
        sources.open_source(str(model))


@pytest.mark.parametrize(
    "what",
    [
        "calibration-late",
        "tokenizer",
        pytest.param("calibration", marks=pytest.mark.nightly),
        pytest.param("calibration-added", marks=pytest.mark.nightly),
    ],
)
def test_what_lies_beside_a_net(
    what: str, own_cache: Path, tmp_path: Path, during: Callable[..., list[str]], capfd: pytest.CaptureFixture[str]
) -> None:
    model, data = net(tmp_path / "model"), tmp_path / "data"
    data.mkdir()
    random = np.random.default_rng(5)
    for at in range(8):
        np.savez(data / f"{at}.npz", x=random.normal(0, 1, (1, 64)).astype(np.float32))
    changes = {
        "calibration": ("quantizing", lambda: there_and_back(data / "3.npz")),
        "calibration-added": ("quantizing", lambda: shutil.copyfile(data / "3.npz", data / "9.npz")),
        "calibration-late": ("quality", lambda: turned(data / "3.npz")),
        "tokenizer": ("quantizing", lambda: (model.parent / "tokenizer.json").write_text("{}")),
    }
    begun = during(*changes[what])
    assert build(model, tmp_path / "out", "int8_qdq", "--calibration", str(data)) == 4
    assert begun and "changed while it was read" in capfd.readouterr().err
    assert not (tmp_path / "out").exists() and not kept(own_cache, "bundle")
    assert what == "calibration-late" or not kept(own_cache, "optimize")


def test_an_imported_model(own_cache: Path, tmp_path: Path) -> None:
    model = write(tmp_path / "m.gguf", random_weights())
    with pytest.raises(SourceError, match=r"the model m\.gguf changed"):
        sources.open_source(str(model), emit=lambda text: there_and_back(model))
    assert not kept(own_cache, "import")


def test_the_references_of_a_language_model(
    own_cache: Path, tmp_path: Path, during: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny_llm.llama(tmp_path / "llama")
    ctx = context(folder, tmp_path, tmp_path / "work")
    ctx = type(ctx)(**{**vars(ctx), "read": (ctx.source.snapshot,)})
    begun = during("float reference", lambda: (folder / "added.json").write_text("{}"))
    with pytest.raises(SourceError, match="the model llama changed"):
        _reference.chat(ctx)
    assert begun and not kept(own_cache, "gate")


@pytest.mark.parametrize("worse", [True, pytest.param(False, marks=pytest.mark.nightly)])
def test_a_poisoned_entry_is_made_anew_once(
    worse: bool, own_cache: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The bytes of another model under this one's key, digests and all; and a gate that no right model can pass."""
    model, out = net(tmp_path / "model"), tmp_path / "out"
    assert build(model, out, "keep", "--quality", "off") == 0
    (entry,) = kept(own_cache, "optimize")
    turned_weights = np.random.default_rng(9).normal(0, 0.2, (64, 32)).astype(np.float32).tobytes()
    (entry / "model" / "net.weights").write_bytes(turned_weights)
    record = json.loads((entry / "entry.json").read_text())
    record["files"]["model/net.weights"]["sha256"] = cache.path_digest(entry / "model" / "net.weights")
    (entry / "entry.json").write_text(json.dumps(record))
    limit = ("--limit", "cosine_mean:max=0") if worse else ()
    shutil.rmtree(out)
    capfd.readouterr()
    assert build(model, out, "keep", *limit) == (9 if worse else 0)
    said = capfd.readouterr().err
    assert "the gate refuses what the cache held; it is made again, once" in said
    assert "differs from what was there in model/net.weights" in said
    assert out.joinpath("net-linux-cpu").exists() != worse
    if worse:  # it stays refused, and is not made a third time
        assert build(model, out, "keep", *limit) == 9
        assert "made again" not in capfd.readouterr().err
    else:
        assert read(out / "net-linux-cpu").judged.verdict == "pass"
