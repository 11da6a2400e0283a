"""The Android project: asset packs by Play's sizes, and what Gradle and the app read of the bundle."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from edgekit import sample
from edgekit.errors import BundleError
from edgekit.sample import android
from edgekit.sample._project import samples
from edgekit.target import load
from tests.unit.bundle.tiny_bundle import contents
from tests.unit.sample.conftest import Seal

pytestmark = pytest.mark.unit

MB = 10**6


def properties(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


@pytest.mark.parametrize(
    "sizes, packs",
    [
        ([200], {"": [0]}),
        ([199, 1, 1], {"model1": [0, 1, 2]}),
        ([1400, 100], {"model1": [0, 1]}),
        ([1400, 1400, 101, 99], {"model1": [0, 3], "model2": [1]} | {"model3": [2]}),
        ([3, 1499, 2], {"model1": [1], "model2": [0, 2]}),
    ],
)
def test_packs_by_size(sizes: list[int], packs: dict[str, list[int]]) -> None:
    files = {f"model/{at}.onnx.data": size * MB for at, size in enumerate(sizes)}
    made = android.packed(files)
    assert {name: [int(path[6]) for path in pack] for name, pack in made.items()} == packs
    assert {path: size for pack in made.values() for path, size in pack.items()} == files


def test_a_file_that_no_pack_takes() -> None:
    with pytest.raises(BundleError, match=r"m has 1\.5 GB, more than Play takes"):
        android.packed({"m": android.PACK + 1})


def test_a_small_bundle_comes_with_the_app(seal: Seal, tmp_path: Path) -> None:
    bundle = seal("android-cpu", pictures=True)
    made = sample.make("android", bundle, tmp_path / "app")
    assert made.does == sample.CLASSIFY and made.facts == {"packs": [], "fits_play": True}
    project = contents(tmp_path / "app")
    inside = {path.removeprefix("app/src/main/assets/bundle/") for path in project if "/assets/bundle/" in path}
    assert inside == {path for path in contents(bundle) if not path.startswith("runtime/")}
    lines = [line.split("\t") for line in project["app/src/main/assets/files.txt"].decode().splitlines()]
    assert {path: (pack, int(size)) for pack, size, path in lines} == {
        path: ("", len(data)) for path, data in contents(bundle).items() if not path.startswith("runtime/")
    }
    told = properties(project["app/src/main/assets/sample.properties"].decode())
    assert told["does"] == "classify"
    assert told["sha256"] == json.loads((bundle / "edgekit.json").read_text())["sha256"]
    assert "Niels Lohmann" in project["app/src/main/assets/LICENSES.txt"].decode()


def test_a_large_bundle_comes_in_packs(seal: Seal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With limits of a few bytes, so that a small bundle is a large one."""
    bundle = seal("android-cpu", pictures=True)
    weights = (bundle / "model/portable/model.onnx.data").stat().st_size
    monkeypatch.setattr(android, "INSTALL_TIME", 0)
    monkeypatch.setattr(android, "PACK", weights)
    made = sample.make("android", bundle, tmp_path / "app")
    assert made.facts["packs"] == ["model1", "model2"] and made.steps[0] == "gradle bundleDebug"
    project = contents(tmp_path / "app")
    assert "packs/model1/src/main/assets/bundle/model/portable/model.onnx.data" in project
    assert b'packName.set("model2")' in project["packs/model2/build.gradle.kts"]
    assert b'deliveryType.set("fast-follow")' in project["packs/model2/build.gradle.kts"]
    assert not [path for path in project if path.startswith("app/src/main/assets/bundle")]
    assert properties(project["gradle.properties"].decode())["edgekit.packs"] == "model1,model2"


@pytest.mark.parametrize("target", ["android-cpu", "android-nnapi", "android-qnn"])
def test_gradle_takes_what_the_target_says(target: str, seal: Seal, tmp_path: Path) -> None:
    profile = load(target)
    platform = profile.platform.model_dump(exclude_defaults=True)
    sample.make("android", seal(target, pictures=True, platform=platform), tmp_path / "app")
    told = properties((tmp_path / "app/gradle.properties").read_text(encoding="utf-8"))
    assert told["edgekit.minSdk"] == profile.platform.os_min and told["edgekit.abi"] == "arm64-v8a"
    maven = [f"{package.name}:{package.floor}" for package in profile.runtime if package.channel == "maven"]
    assert told["edgekit.maven"].split(",") == maven and told["edgekit.genai"] == ""
    manifest = (tmp_path / "app/app/src/main/AndroidManifest.xml").read_text(encoding="utf-8")
    asked = [line for line in profile.platform.app_manifest if line.startswith("<")]
    assert all(line in manifest for line in asked) and "of the target" not in manifest
    assert len(asked) == manifest.count("uses-native-library")


def test_a_net_that_is_no_classifier(seal: Seal, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="chats with a bundle or classifies pictures by a bundle") as refused:
        sample.make("android", seal("android-cpu"), tmp_path / "app")
    assert "decode" in refused.value.next


def test_the_properties_are_read_by_java_as_they_were_written() -> None:
    assert android._escaped("a\\b\nc\r") == "a\\\\b\\nc\\r" and android._escaped(" x") == "\\ x"


def test_what_is_pinned_is_pinned_once() -> None:
    """The wrapper's Gradle by hash, and one version of each plugin."""
    root = samples() / "android"
    wrapper = (root / "gradle/wrapper/gradle-wrapper.properties").read_text(encoding="utf-8")
    assert re.search(r"distributionSha256Sum=[0-9a-f]{64}\n", wrapper) and "gradle-8.11.1-bin.zip" in wrapper
    plugins = re.findall(
        r'id\("com\.android\.[\w-]+"\) version "([\d.]+)"', (root / "build.gradle.kts").read_text("utf-8")
    )
    assert len(plugins) == 2 and len(set(plugins)) == 1
    json_hash = re.search(r"SHA256=([0-9a-f]{64})\)?\s", (root / "app/src/main/cpp/CMakeLists.txt").read_text("utf-8"))
    assert json_hash
