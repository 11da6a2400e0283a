"""edgekit lint on the engines' real packages: what it says of them is what is known of them, and what a pack mends."""

from __future__ import annotations

import plistlib
import shutil
from pathlib import Path

import pytest

from edgekit import packs
from edgekit.lint import Lint, lint
from edgekit.packs import Asked
from tests import needs
from tests.peers import ort_package
from tests.peers.npm_package import Package

pytestmark = pytest.mark.nightly  # 250 MB are fetched where they are not cached

GENAI = Package(  # ONNX Runtime GenAI 0.15.2 (MIT), a third party's repack like ONNX Runtime's
    "com.github.asus4.onnxruntime-genai@0.4.9", "80d03d6afe24dbf6bcde5bfcf424b26c9a2a4161a495e2dc71ac2e08288e7af4"
)
ABIS = ("arm64-v8a", "x86_64")


@pytest.fixture(scope="module")
def npm() -> None:
    """npm fetches the packages."""
    if shutil.which("npm") is None:
        needs.unavailable("npm is not installed: make test-tools installs it")


@pytest.fixture(scope="module")
def genai(npm: None) -> Lint:
    """GenAI 0.15.2 for phones and desktops."""
    return lint(GENAI.folder("package/Plugins"))


@pytest.fixture(scope="module")
def ort(npm: None) -> Lint:
    """ONNX Runtime 1.29.0 likewise."""
    return lint(ort_package.folder("package/Plugins"))


def places(result: Lint, rule: str) -> list[str]:
    """Where a rule found something, in order."""
    return [finding.path for finding in result.findings if finding.rule == rule]


def test_genai_s_aar_is_not_shippable_on_play(genai: Lint) -> None:
    libraries = [f"Android/onnxruntime-genai.aar/jni/{abi}/libmat.so" for abi in ABIS]
    assert places(genai, "android-16k-load") == libraries
    assert places(genai, "telemetry-library") == ["Android/onnxruntime-genai.aar/classes.jar", *libraries]
    assert not places(genai, "android-needed"), "libmat.so lies in the same package"


def test_genai_s_framework_lacks_keys_and_a_privacy_manifest_and_has_ort_1_26_inside(genai: Lint) -> None:
    (device,) = {part.path for part in genai.artifacts if part.path.endswith("ios-arm64/onnxruntime-genai.framework")}
    keys = next(finding for finding in genai.findings if finding.rule == "framework-keys")
    assert (keys.severity, keys.path) == ("error", f"{device}/Info.plist")
    assert keys.message == "without CFBundleVersion, CFBundleShortVersionString, MinimumOSVersion"
    assert places(genai, "privacy-manifest") == [device]
    inside = [finding.message for finding in genai.findings if finding.rule == "engine-inside"]
    assert "GenAI brings an ONNX Runtime 1.26.0 of its own for ios, arm64" in inside
    assert f"{device}/onnxruntime-genai" in places(genai, "telemetry-address")


def test_a_pack_for_ios_completes_its_frameworks(npm: None, tmp_path: Path) -> None:
    """What is left of the store's is the vendor's: which calls its code makes, and why."""
    frameworks = GENAI.folder("package/Plugins") / "iOS~"
    made = packs.make("ios", tmp_path / "edgekit-ios", Asked(engines=frameworks, version="0.15.2"))
    packed = {path.relative_to(made.folder): path for path in made.folder.rglob("*.framework/Info.plist")}
    assert len(packed) > 1
    for inside, path in packed.items():
        plist = plistlib.loads(path.read_bytes())
        platform = "iPhoneSimulator" if "simulator" in str(inside) else "iPhoneOS"
        assert plist["CFBundleSupportedPlatforms"] == [platform], inside
        assert plist["CFBundleVersion"] == plist["CFBundleShortVersionString"] == "0.15.2"
        assert float(plist["MinimumOSVersion"]) >= 13
    linted = lint(made.folder)
    left = {finding.rule for finding in linted.findings if finding.severity == "error"}
    assert left <= {"privacy-manifest"} and not places(linted, "engine-twice")


def test_genai_s_dlls_reach_onnxruntime_by_its_base_name(genai: Lint) -> None:
    assert places(genai, "windows-dll-name") == [f"Windows/{arch}/onnxruntime-genai.dll" for arch in ("arm64", "x64")]


def test_ort_s_packages_have_no_error_and_name_a_telemetry_server(ort: Lint) -> None:
    assert ort.count("error") == 0
    assert "Android/onnxruntime.aar/jni/arm64-v8a/libonnxruntime.so" in places(ort, "telemetry-address")
    assert places(ort, "privacy-manifest"), "it is linked statically, so the app's own manifest may declare the calls"


def test_both_frameworks_in_one_app_are_two_runtimes(tmp_path: Path, genai: Lint, ort: Lint) -> None:
    for package, name in ((GENAI, "onnxruntime-genai"), (ort_package.PACKAGE, "onnxruntime")):
        slices = package.folder("package/Plugins") / "iOS~" / f"{name}.xcframework" / "ios-arm64"
        shutil.copytree(slices, tmp_path / name)
    (twice,) = (finding for finding in lint(tmp_path).findings if finding.rule == "engine-twice")
    assert twice.severity == "warning" and "ios, arm64" in twice.message
