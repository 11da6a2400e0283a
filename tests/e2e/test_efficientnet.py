"""EfficientNet-Lite0: W8A16 on Qualcomm's simulator, one context a chip, and an int8 that labelled pictures cannot see.

Evidence of what is said of the NPU: simulated.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from edgekit import cache, sources
from edgekit.compile import _context
from edgekit.inputs import images
from tests.e2e.command import edgekit, judged, manifest
from tests.olive import efficientnet

pytestmark = pytest.mark.olive

CHIPS = {"sm8550": ("43", "73"), "sm8650": ("57", "75"), "sm8850": ("87", "81")}
TARGET = 'extends = "android-qnn"\nname = "three-chips"\ntitle = "Three Snapdragon chips"\n' + "".join(
    f'[[tensor.variant]]\nname = "{name}"\ncompile = "qnn_context"\nsoc = ["{name.upper()}"]\nsoc_model = {number}\n'
    f'htp_arch = "{arch}"\nsource = "android-qnn.toml"\n'
    for name, (number, arch) in CHIPS.items()
)
PORTABLE = '[[tensor.variant]]\nname = "portable"\n'
RECIPE = '''"""int8 of every operator, none of them left in float."""
KIND = "tensor"
PRECISION = "int8"
SUMMARY = "static int8 (QDQ), one scale a {scale}"
CALIBRATED = True


def passes(model, settings):
    return [{{
        "type": "OnnxStaticQuantization", "data_config": "calibration", "quant_format": "QDQ", "precision": "uint8",
        "weight_symmetric": True, "activation_type": "uint8", "per_channel": {per_channel},
        "calibrate_method": "MinMax", "quant_preprocess": True, "prepare_qdq_config": False,
        "extra_options": {{"CalibStridedMinMax": 1}},
    }}]
'''


@pytest.fixture(scope="module")
def room() -> Path:
    """A folder of the cache with 150 pictures: a third of them calibrates, the gate compares on the others."""
    folder = cache.root() / "bundles-efficientnet"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if not (folder / "pictures").is_dir():
            shutil.rmtree(folder / "aside", ignore_errors=True)
            efficientnet.pictures(folder / "aside", 150).rename(folder / "pictures")
    return folder


@pytest.fixture(scope="module")
def snapdragon(room: Path) -> Path:
    """The bundle for three chips."""
    target = room / "three-chips.toml"
    target.write_text(TARGET + PORTABLE, encoding="utf-8")
    words = ("--target", target, "--calibration", room / "pictures", "--quality", "fast", "-o", room)
    with FileLock(room / "lock"):
        return Path(edgekit("build", efficientnet.card(), *words)["data"]["bundles"][0]["path"])


@pytest.mark.nightly
def test_the_simulator_agrees_with_the_float_model_on_100_pictures(snapdragon: Path) -> None:
    assert edgekit("verify", snapdragon)["data"]["problems"] == []
    quality = judged(manifest(snapdragon))
    assert quality["verdict"] == "pass" and quality["evidence"] == "simulated"
    found = {one["metric"]: one for one in quality["measurements"]}
    assert {one["evidence"] for one in found.values()} == {"simulated"}
    assert found["top1_agreement"]["n"] == found["cosine_mean"]["n"] == 100
    assert found["top1_agreement"]["value"] >= 0.95 and found["cosine_mean"]["value"] >= 0.995


@pytest.mark.nightly
def test_there_is_a_context_for_each_chip_and_they_differ(snapdragon: Path) -> None:
    variants = {one["name"]: one for one in manifest(snapdragon)["variants"]}
    assert list(variants) == [*CHIPS, "portable"]
    for name, (_, arch) in CHIPS.items():
        inside = _context.read([snapdragon / variants[name]["path"]])
        assert (inside.soc, inside.htp_arch) == (name.upper(), arch)
        assert inside.qairt == variants[name]["compatibility"]["qairt"] == variants[name]["compiled"]["qairt"]
        assert variants[name]["compiled"]["graphs"]["model.onnx"]["left"] == {}
    binaries = {(snapdragon / "model" / name / "model_qnn.bin").read_bytes() for name in CHIPS}
    assert len(binaries) == len(CHIPS)


@pytest.mark.nightly
def test_an_app_of_another_system_is_told_the_axis(snapdragon: Path) -> None:
    """By the Python runtime, as an app calls it; this machine is no phone."""
    code = (
        "import sys\nfrom edgekit.wrappers.python import Refused, open_bundle\n"
        "try:\n    open_bundle(sys.argv[1], variant='sm8650')\nexcept Refused as refused:\n    print(refused.axis)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, snapdragon],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.stdout.strip() == "os"


@pytest.mark.nightly
def test_a_changed_axis_is_found(snapdragon: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(snapdragon, tmp_path / "copy")
    path = copied / "edgekit.json"
    path.chmod(0o644)
    path.write_text(path.read_text().replace('"SM8650"', '"SM8850"'))
    assert "edgekit.json" in edgekit("verify", copied, code=6)["error"]["message"]


def build_int8(room: Path, scale: str) -> Path:
    """Ungated, so that there is something to measure when the gate would refuse it."""
    recipe = room / f"int8_by_{scale}.py"
    recipe.write_text(RECIPE.format(scale=scale, per_channel=scale == "channel"), encoding="utf-8")
    words = ("--target", "linux-cpu", "--recipe", recipe, "--calibration", room / "pictures", "--quality", "off")
    with FileLock(room / "lock"):
        made = edgekit("build", efficientnet.card(), *words, "-o", room / scale)
    return Path(made["data"]["bundles"][0]["path"])


def right(bundle: Path) -> int:
    """How many of 20 labelled pictures a bundle's model knows."""
    import onnxruntime

    form = sources.open_source(str(efficientnet.card())).model.inputs[0]
    assert form.preprocess is not None and form.preprocess.kind == "image"
    session = onnxruntime.InferenceSession(str(bundle / "model/portable/model.onnx"))
    count = 0
    for path, label in efficientnet.labelled():
        (scores,) = session.run(["scores"], {"image": images.load(path, form.preprocess, form)})
        count += int(scores.argmax()) == label
    return count


@pytest.mark.nightly
def test_labelled_pictures_cannot_see_a_broken_int8_and_the_gate_can(room: Path) -> None:
    """MODELS: of 20 labelled pictures both are right on as many; on 100 others one scale a weight ruins the net."""
    by_channel, by_tensor = build_int8(room, "channel"), build_int8(room, "tensor")
    assert abs(right(by_channel) - right(by_tensor)) <= 2 and right(by_tensor) >= 15
    words = ("--against", efficientnet.card(), "--calibration", room / "pictures", "--quality", "fast")
    good = edgekit("quality", by_channel, *words)["data"]
    assert good["verdict"] == "pass"
    bad = edgekit("quality", by_tensor, *words, code=9)
    assert "cosine_mean" in bad["error"]["message"]
    cosines = [
        next(m["value"] for m in one["measurements"] if m["metric"] == "cosine_mean") for one in (good, bad["data"])
    ]
    assert cosines[0] > 0.97 > cosines[1]
