"""Nothing is imported from the folder where a user works, and no name of a model is taken for a file there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.unit.bundle import planted

pytestmark = pytest.mark.olive

ROOT = Path(__file__).parents[2]
SCRIPT = "import sys; sys.argv[0] = 'edgekit'; from edgekit.__main__ import main; main()"
MODULE, SAFE, CODE = ([sys.executable, *how] for how in (["-m", "edgekit"], ["-P", "-m", "edgekit"], ["-c", SCRIPT]))
# Modules of the standard library, of what edgekit imports, and of what its children do.
MODULES = (
    "json",
    "tempfile",
    "hashlib",
    "socket",
    "numpy",
    "onnx",
    "onnxruntime",
    "onnxruntime_genai",
    "click",
    "rich",
)
MODULES += ("pydantic", "filelock", "torch", "olive", "transformers", "olive.workflows", "edgekit_runtime", "PIL")
WIDTH = 128


def net(folder: Path) -> Path:
    """A net as torch exports it by default: its weights in NAME.onnx.data beside it; the input is called images."""
    rng = np.random.default_rng(0)
    shapes = [numpy_helper.from_array(rng.normal(size=(WIDTH, WIDTH)).astype(np.float32) / 11, name) for name in "ab"]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", WIDTH]) for name in ("images", "y")]
    nodes = [
        helper.make_node("MatMul", ["images", "a"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "b"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], shapes)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = folder / "net.onnx"
    onnx.save(model, path, save_as_external_data=True, location="net.onnx.data", size_threshold=0)
    return path


def edgekit(start: list[str], folder: Path, *words: str, **env: str) -> dict[str, object]:
    """The JSON document of a command line that must succeed in this current folder."""
    given = {**os.environ, **env}
    done = subprocess.run([*start, *words, "--json", "-q"], cwd=folder, env=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    data: dict[str, object] = json.loads(done.stdout)["data"]
    return data


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with the net, folders that are called as its input and output, and a module for every name above."""
    folder = tmp_path / "work"
    folder.mkdir()
    net(folder)
    for name in ("images", "y", "portable", "model"):
        (folder / name).mkdir()
        (folder / name / "file").write_text("x")
    for name in MODULES:
        planted.module(folder, name, folder.parent / "canary")
    return folder


def test_nothing_is_imported_from_it_and_no_name_is_a_file_there(here: Path) -> None:
    """From a folder's own point of view: all paths are relative, those of the environment too."""
    env = {"EDGEKIT_CACHE": "../cache", "TMPDIR": "../tmp", "PYTHONPATH": str(ROOT)}
    (here.parent / "tmp").mkdir()
    before = {path.name for path in here.iterdir()}
    build = ["build", "net.onnx", "--target", "linux-cpu", "--recipe", "int8_dynamic", "--quality", "off"]
    edgekit(MODULE, here, *build, **env)
    bundle = "out/net-linux-cpu"
    np.save(here / "x.npy", np.ones((1, WIDTH), np.float32))
    edgekit(SAFE, here, "verify", bundle, **env)
    edgekit(CODE, here, "inspect", bundle, "--partition", **env)
    edgekit(MODULE, here, "check", bundle, "--quick", **env)
    edgekit(CODE, here, "run", bundle, "--input", "images=x.npy", "-o", "y.npz", **env)
    edgekit(SAFE, here, "quality", bundle, "--against", "net.onnx", "--quality", "fast", **env)
    assert not (here.parent / "canary").exists()
    assert (here.parent / "cache" / "optimize").is_dir()
    made = {path.name for path in here.iterdir()} - before
    assert made == {"x.npy", "y.npz", "out"}


def test_an_empty_entry_of_pythonpath_is_not_the_current_folder(here: Path) -> None:
    """`export PYTHONPATH=$PYTHONPATH:/somewhere` leaves one where it was not set before."""
    env = {"PYTHONPATH": f"{os.pathsep}{ROOT}", "EDGEKIT_CACHE": str(here.parent / "cache")}
    for name in ("json", "tempfile", "hashlib", "socket"):  # Python itself may have needed them before edgekit begins
        (here / f"{name}.py").unlink()
    edgekit(SAFE, here, "build", "net.onnx", "--target", "linux-cpu", "--recipe", "keep", "--quality", "off", **env)
    assert not (here.parent / "canary").exists()


def test_the_planted_modules_would_be_noticed(here: Path) -> None:
    subprocess.run([sys.executable, "-c", "import json"], cwd=here, capture_output=True, check=False)
    assert (here.parent / "canary").read_text() == "json\n"
