"""The core's readers of a stranger's bundle (fuzz/readers.cpp): a corpus of inputs, and libFuzzer at night.

`make nightly-fuzz` takes half of EDGEKIT_FUZZ_SECONDS for all of them, new inputs each time; the corpus is one zip a
reader. With EDGEKIT_FUZZ_KEEP=1 what reached another line is added to it. A failure names the input: `core-fuzz FILE`
reads it again. EDGEKIT_CORE_FUZZ names another build, which need not be libFuzzer's to read the corpus.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
import pytest

from edgekit.contract import check_plan
from edgekit.data import jsonable
from edgekit.devices._runner import SOURCES
from tests import needs
from tests.unit.bundle import tiny_bundle

pytestmark = pytest.mark.nightly

HERE = Path(__file__).parent
CORPUS = HERE / "fuzz/corpus"
READERS = ("arrays", "config", "graph", "manifest", "plan")
MOST_BYTES = {"graph": 2048, "manifest": 8192}  # of an input; of others 4096
CONFIG = {
    "model": {
        "bos_token_id": 1,
        "eos_token_id": [2, 3],
        "decoder": {
            "session_options": {"log_id": "a", "provider_options": [{"qnn": {"backend_path": "libQnnHtp.so"}}]},
            "filename": "model.onnx",
            "inputs": {"input_ids": "input_ids", "past_key_names": "past.%d.key"},
            "pipeline": [{"a": {"filename": "model.onnx", "inputs": ["x"], "run_on_prompt": True}}],
        },
        "type": "phi3",
    },
    "search": {"max_length": 64, "do_sample": False, "temperature": 1.0},
}


def built() -> Path:
    """core-fuzz by clang, with the tests' engine beside it."""
    from edgekit import cache

    if not shutil.which("clang++"):
        needs.unavailable("clang++ is not installed: apt-get install clang and libclang-rt-dev of its version")
    folder = cache.root() / "sanitized-fuzzer"
    settings = ["-DEDGEKIT_SANITIZE=fuzzer", "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_COMPILER=clang++"]
    make = ["cmake", "-S", SOURCES, "-B", folder, *settings, f"-DEDGEKIT_STUB={HERE / 'stub'}"]
    for command in (make, ["cmake", "--build", folder, "--target", "core-fuzz", "stub-engine", "--parallel", "2"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return folder / "core-fuzz"


@pytest.fixture(scope="module")
def program() -> Path:
    other = os.environ.get("EDGEKIT_CORE_FUZZ")
    return Path(other) if other else built()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small net with goldens, which every reader takes as it is."""
    folder = tmp_path_factory.mktemp("bundle")
    tiny_bundle.build(folder / "tiny", tiny_bundle.origin(folder), tiny_bundle.draft("tiny"))
    (folder / "tiny/check/goldens.npz").write_bytes(arrays()[1])
    (folder / "tiny/check/inputs.npz").write_bytes(npz({"0.x": np.ones((1, tiny_bundle.SIZE), np.float32)}))
    return folder / "tiny"


def npz(values: Mapping[str, Any]) -> bytes:
    data = io.BytesIO()
    np.savez(data, **values)
    return data.getvalue()


def arrays() -> list[bytes]:
    """Goldens of a language model, of a net, and of one that says how many rows it has."""
    where = np.array('{"ep": "cpu", "kernels": "x86_64 avx2"}')
    llm = {"top1": np.arange(4), "margin": np.array([0.1, 2.0, 3.0, np.nan], np.float32)}
    net = {"0.y": np.ones(6, np.float16), "shape.0.y": np.array([2, 3]), "shape.0.z": np.array([2])}
    rows = {"0.boxes": np.ones(8, np.float32), "shape.0.boxes": np.array([2, 4]), "rows.boxes": np.array(0)}
    return [npz({**each, "recorded_on": where}) for each in (llm, net, rows)]


def whole(reader: str, bundle: Path) -> list[bytes]:
    """Inputs to begin with, which every reader takes."""
    if reader == "arrays":
        return arrays()
    if reader == "config":
        return [json.dumps(CONFIG).encode()]
    if reader == "plan":
        return [json.dumps(jsonable(check_plan.default_plan(kind))).encode() for kind in ("llm", "tensor")]
    if reader == "manifest":
        return [(bundle / "edgekit.json").read_bytes()]
    from tests.fuzz.targets import onnx_files

    return list(onnx_files())


def run(program: Path, reader: str, bundle: Path, *words: str | Path) -> str:
    """What the program says of its words, from a bundle of its own."""
    engine = program.parent / "libstub-engine.so"
    env = {"EDGEKIT_READER": reader, "EDGEKIT_BUNDLE": str(bundle), "EDGEKIT_ENGINE": str(engine)}
    options = {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
    command = [program, *words]
    done = subprocess.run(command, env={**os.environ, **options, **env}, capture_output=True, check=False, timeout=3600)
    said = done.stderr.decode("utf-8", "replace")
    assert done.returncode == 0, said[-6000:]
    return said


def unpacked(reader: str, to: Path) -> list[Path]:
    to.mkdir()
    if (CORPUS / f"{reader}.zip").is_file():  # of a new reader there is none
        with ZipFile(CORPUS / f"{reader}.zip") as archive:
            archive.extractall(to)
    return sorted(to.iterdir())


@pytest.mark.parametrize("reader", READERS)
def test_the_corpus_is_read(program: Path, bundle: Path, tmp_path: Path, reader: str) -> None:
    copy = Path(shutil.copytree(bundle, tmp_path / "bundle"))
    inputs = unpacked(reader, tmp_path / "inputs")
    assert len(inputs) > 5
    run(program, reader, copy, *inputs)


@pytest.mark.parametrize("reader", READERS)
def test_no_input_is_read_wrongly(program: Path, bundle: Path, tmp_path: Path, reader: str) -> None:
    seconds = float(os.environ.get("EDGEKIT_FUZZ_SECONDS", 20)) / 2 / len(READERS)
    copy = Path(shutil.copytree(bundle, tmp_path / "bundle"))
    unpacked(reader, tmp_path / "corpus")
    for number, data in enumerate(whole(reader, bundle)):
        (tmp_path / "corpus" / f"whole{number}").write_bytes(data)
    options = [f"-max_len={MOST_BYTES.get(reader, 4096)}", "-timeout=20", "-rss_limit_mb=1024", "-verbosity=1"]
    dictionary = tmp_path / "words.txt"
    if reader not in ("arrays", "graph"):
        names = {word for data in whole(reader, bundle) for word in data.decode().split('"') if word.isidentifier()}
        dictionary.write_text("".join(f'"\\"{name}\\""\n' for name in sorted(names)), encoding="utf-8")
        options.append(f"-dict={dictionary}")
    told = run(
        program, reader, copy, *options, f"-artifact_prefix={tmp_path}/", f"-max_total_time={seconds:.0f}",
        "-print_final_stats=1", tmp_path / "corpus",
    )  # fmt: skip
    [count] = [line for line in told.splitlines() if line.startswith("stat::number_of_executed_units")]
    sys.stdout.write(f"{reader}: {count}\n")
    if os.environ.get("EDGEKIT_FUZZ_KEEP"):
        keep(program, reader, copy, tmp_path)


def keep(program: Path, reader: str, bundle: Path, folder: Path) -> None:
    """Write the corpus anew: the least of it that reaches as many lines."""
    (folder / "least").mkdir()
    run(program, reader, bundle, "-merge=1", folder / "least", folder / "corpus")
    with ZipFile(CORPUS / f"{reader}.zip", "w", ZIP_DEFLATED) as archive:
        for path in sorted((folder / "least").iterdir()):
            archive.writestr(ZipInfo(path.name), path.read_bytes(), ZIP_DEFLATED)
