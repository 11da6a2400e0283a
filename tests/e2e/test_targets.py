"""Five targets in one command: five bundles, each run against its golden answers where this machine can stand in."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from onnx import helper

from edgekit import cache
from edgekit.compile import _emulator
from edgekit.errors import BundleError
from edgekit.kinds.variant import Compatibility
from tests.e2e import pictures
from tests.e2e.command import edgekit, judged, manifest, said
from tests.olive import tiny_llm
from tests.peers import swiftshader
from tests.unit.inputs import nets as nets_of

pytestmark = pytest.mark.olive

TARGETS = ("linux-cpu", "windows-directml", "android-nnapi", "android-qnn", "ios-coreml")
CHIPS = {"sm8550": "73", "sm8650": "75", "sm8750": "79", "sm8850": "81"}
OFF = ("--quality", "off")  # random weights have no quality
PHASES = ("context", "iterator")  # a window of a prompt, one token


def build(
    targets: tuple[str, ...], source: str | Path, out: Path, *more: str | Path, **environment: str
) -> tuple[dict[str, Path], str]:
    """The bundles of one command by target, and what it said."""
    words = [word for name in targets for word in ("--target", name)]
    found, told = said("build", source, *words, "-o", out, *more, **environment)
    paths = [Path(one["path"]) for one in found["data"]["bundles"]]
    assert found["data"]["failed"] == {} and len(paths) == len(targets)
    return dict(zip(targets, paths, strict=True)), told


def checked(bundle: Path) -> dict[str, Any]:
    """The report of a quick check here; a budget that too few samples cannot judge is no matter of this test."""
    report: dict[str, Any] = said("check", bundle, "--quick", codes=(0, 11))[0]["data"]["report"]
    return report


@pytest.fixture(scope="module")
def nets() -> dict[str, Path]:
    """PP-OCRv4's orientation net for the five targets, built unless nothing has changed since the last run."""
    folder = cache.root() / "bundles-five"
    lines = folder / "lines"
    lines.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        for at, picture in enumerate(pictures.lines(48, 192)):
            picture.rotate(180 * (at % 2)).save(lines / f"{at:02}.png")
        return build(TARGETS, "ppocrv4-cls", folder, "--calibration", lines)[0]


@pytest.mark.parametrize("name", TARGETS)
def test_a_net_for_each_target_is_whole_gated_and_gives_its_golden_answers(name: str, nets: dict[str, Path]) -> None:
    """The CPU stands in for NNAPI, Core ML and DirectML, and says so; no stand-in's speed is anybody's."""
    bundle = nets[name]
    assert edgekit("verify", bundle)["data"]["problems"] == []
    made = manifest(bundle)
    assert made["target"]["name"] == name and judged(made)["verdict"] == "pass"
    evidence = "simulated" if name == "android-qnn" else "host"
    assert {one["evidence"] for one in judged(made)["measurements"]} == {evidence}
    report = checked(bundle)
    assert report["goldens"]["passed"] and report["goldens"]["compared"] == 8
    assert report["goldens"]["recorded_on"]["ep"] == "cpu" and report["device"]["evidence"] == "host"
    speed = next(one for one in report["measurements"] if one["metric"] == "latency_p50_ms")
    assert not speed["valid"]


def test_what_each_accelerator_takes_of_it(nets: dict[str, Path]) -> None:
    """Measured where the provider runs here, predicted elsewhere; an accelerator takes nearly all of it."""
    found = {name: manifest(bundle)["partition"] for name, bundle in nets.items()}
    words = {name: {one["how"] for one in placed.values()} for name, placed in found.items()}
    assert words == {
        "linux-cpu": {"measured"}, "android-qnn": {"measured"},
        "windows-directml": {"predicted"}, "android-nnapi": {"predicted"}, "ios-coreml": {"predicted"},
    }  # fmt: skip
    for name, placed in found.items():
        assert placed and all(one["coverage"] >= 0.8 for one in placed.values()), name
    assert found["android-qnn"]["portable"]["evidence"] == "simulated"


def test_one_compiled_context_for_each_chip(nets: dict[str, Path]) -> None:
    variants = {one["name"]: one for one in manifest(nets["android-qnn"])["variants"]}
    assert list(variants) == [*CHIPS, "portable"]
    for name, arch in CHIPS.items():
        one = variants[name]
        assert one["compiled"]["htp_arch"] == one["compatibility"]["htp_arch"] == arch
        assert one["compatibility"]["soc"] == [name.upper()]
    binaries = {name: (nets["android-qnn"] / "model" / name / "model_qnn.bin").read_bytes() for name in CHIPS}
    assert len(set(binaries.values())) == len(CHIPS)


@pytest.mark.parametrize(
    ("axis", "claimed"),
    [
        ("soc", {"soc": ("SM8850",)}),
        ("htp_arch", {"soc": ("SM8650",), "htp_arch": "81"}),
        ("qairt", {"soc": ("SM8650",), "htp_arch": "75", "qairt": "2.99.0"}),
    ],
)
def test_a_context_is_refused_for_another_chip_or_runtime(
    axis: str, claimed: dict[str, Any], nets: dict[str, Path], tmp_path: Path
) -> None:
    """The simulator itself would run it: only what is written in the binary tells."""
    graph = nets["android-qnn"] / "model" / "sm8650" / "model.onnx"
    with pytest.raises(BundleError, match=f"axis {axis}: "):
        _emulator.run(graph, [_emulator.zeros(graph)], tmp_path, chip=Compatibility(**claimed))
    right = Compatibility(soc=("SM8650",), htp_arch="75")
    answer = _emulator.run(graph, [_emulator.zeros(graph)], tmp_path, chip=right)
    assert answer.evidence == "simulated" and all(np.isfinite(array).all() for array in answer.outputs[0].values())


@pytest.mark.nightly
def test_olive_is_loaded_once_for_all_steps(tmp_path: Path) -> None:
    """Core ML's two variants want two steps, DirectML one of them; nothing is left of the child that was forked."""
    weights = np.random.default_rng(5).normal(size=(8, 3, 3, 3)).astype(np.float32)
    conv = helper.make_node("Conv", ["x", "w"], ["y"])
    net = nets_of.save(
        tmp_path / "small net.onnx",
        [conv],
        [nets_of.value("x", [1, 3, 16, 16])],
        [nets_of.value("y", [1, 8, 14, 14])],
        {"w": weights},
    )
    (tmp_path / "tmp").mkdir()
    environment = {"EDGEKIT_CACHE": str(tmp_path / "cache"), "TMPDIR": str(tmp_path / "tmp")}
    names = ("windows-directml", "ios-coreml")
    for loaded in (1, 0):  # built, then found
        words = ("--quality", "fast", "--force", "--verbose")
        _, told = build(names, net, tmp_path / "out", *words, **environment)
        assert sum("--wait" in line for line in told.splitlines()) == loaded, told
        assert not list((tmp_path / "tmp").glob("edgekit-warm-*"))


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return swiftshader.target(tmp_path_factory.mktemp("wide"))


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["net", "language model"])
def test_webgpus_bundle_gives_its_golden_answers_on_a_software_gpu(
    kind: str, wide: Path, nets: dict[str, Path], tmp_path: Path
) -> None:
    """Evidence: simulated. The CPU recorded the goldens; SwiftShader's WebGPU session answers here."""
    lines = nets["linux-cpu"].parent / "lines"
    source, more = (
        ("ppocrv4-cls", ("--calibration", lines)) if kind == "net" else (tiny_llm.llama(tmp_path / "tiny"), OFF)
    )
    gpu = swiftshader.environment()
    bundle = build((str(wide),), source, tmp_path, *more, **gpu)[0][str(wide)]
    (placed,) = manifest(bundle)["partition"].values()
    assert (placed["how"], placed["evidence"]) == ("measured", "simulated") and placed["coverage"] > 0.9
    command = [sys.executable, "-m", "tests.e2e.golden_on_provider", bundle, tmp_path / "found.json"]
    done = subprocess.run(command, env=gpu, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert found["passed"] and found["compared"] >= 4, found["mismatches"]
    assert found["recorded_on"]["ep"] == "cpu" and not found["same_kernels"]


@pytest.fixture(scope="module")
def llms() -> dict[str, Path]:
    """SmolLM2 for the targets that run it on the CPU or a GPU, built unless nothing has changed since."""
    return _llms(*(name for name in TARGETS if name != "android-qnn"))


@pytest.fixture(scope="module")
def htp() -> dict[str, Path]:
    """SmolLM2 for the HTP: rotated, by GPTQ and compiled for two chips, in a quarter of an hour."""
    return _llms("android-qnn")


def _llms(*names: str) -> dict[str, Path]:
    folder = cache.root() / "bundles-five"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "llm.lock"):
        return build(names, "smollm2-135m-instruct", folder, "--quality", "fast")[0]


@pytest.mark.nightly
@pytest.mark.parametrize("name", TARGETS)
def test_a_language_model_for_each_target_is_whole_gated_and_gives_its_golden_answers(
    name: str, request: pytest.FixtureRequest
) -> None:
    bundle = request.getfixturevalue("htp" if name == "android-qnn" else "llms")[name]
    assert edgekit("verify", bundle)["data"]["problems"] == []
    made = manifest(bundle)
    assert made["target"]["name"] == name and judged(made)["verdict"] == "pass"
    assert judged(made)["evidence"] == ("simulated" if name == "android-qnn" else "host")
    report = checked(bundle)
    assert report["goldens"]["passed"] and report["goldens"]["recorded_on"]["ep"] == "cpu"
    assert report["goldens"]["compared"] >= 12 and report["device"]["evidence"] == "host"


def test_targets_share_what_they_have_in_common(tmp_path: Path) -> None:
    """Both phones' graph is linux-cpu's, as they leave language models to the CPU: it is quantized once."""
    source = tiny_llm.llama(tmp_path / "tiny")
    names = ("linux-cpu", "android-nnapi", "ios-coreml")
    bundles, told = build(names, source, tmp_path / "out", *OFF, EDGEKIT_CACHE=str(tmp_path / "cache"))
    assert {one["ep"] for bundle in bundles.values() for one in manifest(bundle)["variants"]} == {"cpu"}
    lines = [line for line in told.splitlines() if ": quantizing with int4_mixed" in line]
    ended = [line for line in lines if "..." not in line]
    assert len(ended) == 3 and all("already done" in line for line in ended[1:]), lines
    assert len([path for path in (tmp_path / "cache" / "optimize").iterdir() if path.is_dir()]) == 1


@pytest.mark.nightly
def test_a_language_model_is_compiled_for_two_chips_and_runs_uncompiled_on_any(htp: dict[str, Path]) -> None:
    bundle = htp["android-qnn"]
    variants = {one["name"]: one for one in manifest(bundle)["variants"]}
    assert list(variants) == ["sm8650", "sm8750", "portable"]
    assert [one["ep"] for one in variants.values()] == ["qnn", "qnn", "cpu"]
    contexts = []
    for name in ("sm8650", "sm8750"):
        assert variants[name]["compatibility"]["htp_arch"] == CHIPS[name]
        contexts.append({one.name: one.read_bytes() for one in (bundle / "model" / name).glob("*_qnn.bin")})
    assert set(contexts[0]) == set(contexts[1]) == {f"{kind}_{at}_qnn.bin" for kind in PHASES for at in range(2)}
    assert all(contexts[0][name] != contexts[1][name] for name in contexts[0])
    graphs = variants["sm8650"]["compiled"]["graphs"].values()
    assert graphs
    for graph in graphs:
        assert graph["left"] == {"GroupQueryAttention": 15}, "attention alone stays on the CPU: one round trip a layer"


@pytest.mark.parametrize("name", ["android-nnapi", "ios-coreml"])
def test_a_target_that_leaves_language_models_to_the_cpu_says_so(name: str, tmp_path: Path) -> None:
    ep = name.partition("-")[2]
    words = ("build", tiny_llm.llama(tmp_path / "tiny"), "--target", name, "-o", tmp_path / "out", *OFF)
    (plan,) = edgekit(*words, "--dry-run")["data"]["plans"]
    assert any(f"runs on cpu, not on {ep}" in note for note in plan["notes"])
    refused = edgekit(*words, "--require-ep", code=5)["error"]
    assert "MatMulNBits" in refused["message"] and "take a target that can" in refused["next"]
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
