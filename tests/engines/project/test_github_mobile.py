"""The jobs for apps: read by the linter, and their shell steps run one by one where other programs stand for the kits.

What is real: edgekit, the projects that it makes, jq, and the check mode's own code, edgekit-runner as an app. Scripts
of the test's own: Gradle, the Android SDK and its emulator, adb, Xcode, vcpkg, .NET, gcloud, and the network.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from edgekit import sample
from edgekit.bundle.zip import zip_bundle
from edgekit.project import ci, pairs
from tests import needs
from tests.engines.wrappers.small_bundles import copy
from tests.peers import actionlint
from tests.unit.injections import reseal
from tests.unit.project.test_file import project

pytestmark = pytest.mark.tools

MANIFEST = """<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="a">
<uses-sdk android:targetSdkVersion="36" /><application /></manifest>"""
PROJECT = 'targets = ["android-cpu", "ios-coreml", "windows-cpu", "windows-webgpu"]\n[models.n]\nsource = "n.onnx"\n'
# A program of the kits: says that it was called, does what the test needs of it. PHONE is the app's container.
KITS = {
    "gradle": """[ "$2" = assembleRelease ] && kind=release name=app-release-unsigned || kind=debug name=app-debug
        mkdir -p app/build/outputs/apk/$kind
        cp "$APK" app/build/outputs/apk/$kind/$name.apk""",
    "sdkmanager": "cat > answers.txt",
    "avdmanager": "read -r answer",
    "emulator": "",
    "sudo": "",
    "adb": """case "$*" in
        "shell getconf"*) printf '16384\\r\\n' ;;
        "push "*) cp -R "$2" "$PHONE/pushed" ;;
        "shell am start"*) shift 8; "$RUNNER" --app "$PHONE" "$1" >&2 || true ;;
        "shell run-as"*"cat files"*) cat "$PHONE/${*: -1}" ;;
        "shell run-as"*) cd "$PHONE"; line=${2#run-as dev.edgekit.sample }
            eval "${line//\\/data\\/local\\/tmp\\/bundle/$PHONE\\/pushed}"; [ ! -d files/check/pushed ] ||
            mv files/check/pushed files/check/bundle ;;
        esac""",
    "brew": "",
    "xcodebuild": "mkdir -p built/Build/Products/{Release-iphoneos,Debug-iphonesimulator}/Sample.app",
    "xcrun": """case "$2" in
        list) echo '{"devices": {"iOS 26": [{"name": "iPad", "udid": "no"}, {"name": "iPhone 17", "udid": "A-1"}]}}' ;;
        get_app_container) [ "$3" = A-1 ] && echo "$PHONE" ;;
        launch) "$RUNNER" --app "$PHONE" "$7" >&2 || true ;;
        esac""",
    "vcpkg": "",
    "pip": "",
    "cmake": "",
    "dotnet": '[ "$1" != run ] || { cat > said.txt; echo answered; }',
    "gcloud": "",
    "curl": 'cp "$FETCHED" "${*: -1}"',
}


@pytest.fixture
def kits(tmp_path: Path, runner: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of GitHub's as far as these steps see it; returns the folder that a job works in."""
    programs, home = tmp_path / "bin", tmp_path / "work"
    for folder in (programs, home, tmp_path / "phone"):
        folder.mkdir()
    for name, does in KITS.items():
        path = programs / name
        path.write_text(f'#!/bin/bash -e\necho "{name} $*" >> "{tmp_path}/calls"\n{does}\n', encoding="utf-8")
        path.chmod(0o755)
    sdk = tmp_path / "sdk"
    for place in ("cmdline-tools/latest/bin/sdkmanager", "cmdline-tools/latest/bin/avdmanager", "emulator/emulator"):
        (sdk / place).parent.mkdir(parents=True, exist_ok=True)
        (sdk / place).symlink_to(programs / place.rpartition("/")[2])
    with zipfile.ZipFile(tmp_path / "app.apk", "w") as apk:
        apk.writestr("AndroidManifest.xml", MANIFEST)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for name, value in {"PHONE": "phone", "APK": "app.apk", "ANDROID_HOME": "sdk", "FETCHED": "fetched.zip"}.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.setenv("RUNNER", str(runner))
    monkeypatch.setenv("VCPKG_INSTALLATION_ROOT", str(programs))
    return home


@pytest.fixture
def workflow(tmp_path: Path) -> dict[str, Any]:
    """The jobs of a project's workflow."""
    read: dict[str, Any] = yaml.safe_load(ci.workflow(listed(tmp_path), locked=True, mobile=True))
    return read["jobs"]  # type: ignore[no-any-return]


def listed(folder: Path) -> list[pairs.Pair]:
    return pairs.of(project(folder, PROJECT), folder)


def fetched(bundle: Path, platform: str, home: Path, **target: Any) -> str:
    """The bundle's zip where a job of its platform fetches it; returns the bundle's name."""
    made = copy(bundle, home.parent / "bundles" / bundle.name)

    def change(manifest: dict[str, Any]) -> None:
        manifest["target"] |= {
            "os": platform,
            "abi": ["armv7"],
            **target,
        }  # foreign here, as a phone's is in an emulator
        manifest["variants"][0]["compatibility"]["os"] = [platform]

    reseal(made, change)
    (home / "fetched").mkdir()
    zip_bundle(made, home / "fetched" / f"{made.name}.zip")
    return made.name


def run(job: dict[str, Any], home: Path, name: str, **variables: str) -> dict[str, str]:
    """The job's shell steps but for its installation, as GitHub's runner has them; returns their outputs."""
    files = {key: home.parent / key for key in ("GITHUB_OUTPUT", "GITHUB_PATH")}
    for path in files.values():
        path.write_text("", encoding="utf-8")
    env = os.environ | {key: str(path) for key, path in files.items()} | {"NAME": name, **variables}
    for step in job["steps"]:
        if "run" not in step or step["name"] == "Install edgekit":
            continue
        told = files["GITHUB_OUTPUT"].read_text(encoding="utf-8")
        if "steps.app.outputs.made" in step.get("if", "") and "made=true" not in told:
            continue
        added = files["GITHUB_PATH"].read_text(encoding="utf-8").split()
        path = os.pathsep.join([*added, env["PATH"]])
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=home / step.get("working-directory", "."),
            env=env | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{step['name']}: {done.stdout}{done.stderr}"
        if step["name"] == "Make the app" and (home / "app").is_dir():
            of_ours(home)
    return dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines())


def of_ours(home: Path) -> None:
    """What `curl` gives: Gradle's archive of the test, by whose hash the made project now knows it; and a framework."""
    with zipfile.ZipFile(home.parent / "fetched.zip", "w") as archive:
        archive.writestr("gradle-0/bin/readme", "")
        archive.writestr("a/onnxruntime-genai.xcframework/Info.plist", "")
    wrapper = home / "app/gradle/wrapper/gradle-wrapper.properties"
    if wrapper.is_file():
        sha256 = hashlib.sha256((home.parent / "fetched.zip").read_bytes()).hexdigest()
        text = wrapper.read_text(encoding="utf-8")
        wrapper.write_text(re.sub(r"(?m)^(distributionSha256Sum=).*", rf"\g<1>{sha256}", text), encoding="utf-8")


def calls(home: Path) -> list[str]:
    return (home.parent / "calls").read_text(encoding="utf-8").splitlines()


def test_the_linter_finds_nothing(tmp_path: Path) -> None:
    text = ci.workflow(listed(tmp_path), locked=True, mobile=True)
    try:
        assert actionlint.findings(text, tmp_path) == []
    except (OSError, RuntimeError) as error:
        needs.unavailable(str(error))
    assert len(actionlint.findings(text.replace("needs: apps", "needs: app"), tmp_path)) > 2


def test_actions_are_pinned_and_no_value_of_the_matrix_reaches_a_shell(workflow: dict[str, Any]) -> None:
    steps = [step for job in workflow.values() for step in job["steps"]]
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"]) for step in steps if "uses" in step)
    assert not any("${{" in step.get("run", "") for step in steps)


def test_android(kits: Path, workflow: dict[str, Any], llm_bundle: Path) -> None:
    """A language model: the engine is fetched, R8 and the lint, the emulator's pages, and the app's own check mode."""
    package = {"name": "onnxruntime-genai (AAR)", "channel": "release-page", "floor": "0.14.1", "source": "a test"}
    name = fetched(llm_bundle, "android", kits, runtime=[{**package, "last_seen": "0.14.1"}])
    image = workflow["android"]["env"]["IMAGE"]
    assert run(workflow["android"], kits, name, AAR="https://here/genai.aar", IMAGE=image) == {"made": "true"}
    outcome = json.loads((kits / "outcome.json").read_text(encoding="utf-8"))
    assert outcome["goldens"]["passed"] and outcome["goldens"]["compared"] > 0
    assert list((kits / "app/app/libs").glob("onnxruntime-genai-*.aar"))
    said = calls(kits)
    assert [line for line in said if line.startswith("gradle")] == [
        "gradle --no-daemon assembleRelease",
        "gradle --no-daemon assembleDebug -Pedgekit.abi=x86_64",
    ]
    assert f"sdkmanager emulator platform-tools {image}" in said and "16k" in image


def test_android_holds_the_app_to_the_goldens(kits: Path, workflow: dict[str, Any], llm_bundle: Path) -> None:
    """A golden that the model does not answer fails the job."""
    bundle = copy(llm_bundle, kits.parent / "changed" / llm_bundle.name)
    goldens = dict(np.load(bundle / "check/goldens.npz"))
    (bundle / "check/goldens.npz").chmod(0o644)
    np.savez(bundle / "check/goldens.npz", **{key: np.flip(value) for key, value in goldens.items()})
    name = fetched(bundle, "android", kits)
    with pytest.raises(AssertionError, match="Check the golden answers"):
        run(workflow["android"], kits, name, AAR="https://here/genai.aar", IMAGE="image")


def test_an_app_that_makes_nothing_of_a_bundle_is_not_built(
    kits: Path, workflow: dict[str, Any], tensor_bundle: Path
) -> None:
    name = fetched(tensor_bundle, "ios", kits)
    assert run(workflow["ios"], kits, name, FRAMEWORK="https://here/genai.zip") == {}
    assert not (kits.parent / "calls").exists()


def test_ios(kits: Path, workflow: dict[str, Any], llm_bundle: Path) -> None:
    name = fetched(llm_bundle, "ios", kits)
    assert run(workflow["ios"], kits, name, FRAMEWORK="https://here/genai.zip") == {"made": "true"}
    assert json.loads((kits / "outcome.json").read_text(encoding="utf-8"))["goldens"]["passed"]
    built = [line for line in calls(kits) if line.startswith("xcodebuild")]
    assert ["generic/platform=iOS -" in built[0], "generic/platform=iOS Simulator -" in built[1]] == [True, True]
    assert (kits / "app/onnxruntime-genai.xcframework").is_dir()


@pytest.mark.parametrize("kind", ["llm", "tensor"])
def test_windows(kind: str, kits: Path, workflow: dict[str, Any], llm_bundle: Path, tensor_bundle: Path) -> None:
    """The commands that `edgekit sample` says, and a question or the tensors of the bundle's own check."""
    name = fetched(llm_bundle if kind == "llm" else tensor_bundle, "windows", kits, abi=["x86_64", "aarch64"])
    run(workflow["windows"], kits, name, TRIPLET="arm64-windows")
    steps = json.loads((kits / "made.json").read_text(encoding="utf-8"))["data"]["steps"]
    said = calls(kits)
    assert "vcpkg install nlohmann-json:arm64-windows" in said and said[1:3] == steps[-3:-1]
    asked = said[-1].split()
    if kind == "llm":
        assert asked[-1] == "bundle" and (kits / "app/said.txt").read_text(encoding="utf-8") == "Hello\n"
        return
    feed = np.load(tensor_bundle / "check/inputs.npz")["0.x"]
    shape = ",".join(map(str, feed.shape))
    assert asked[-5:] == ["bundle", f"x={feed.dtype}:{shape}:0.bin", "scores", "best", "sure"]
    assert (kits / "app/0.bin").read_bytes() == feed.tobytes()


def test_a_device_lab(kits: Path, workflow: dict[str, Any]) -> None:
    (kits / "apps/a b").mkdir(parents=True)
    (kits / "apps/a b/app-debug.apk").write_text("", encoding="utf-8")
    run(workflow["lab"], kits, "", KEY="{}", PROJECT="mine", PHONE="model=x")
    assert "--project mine --type robo --app apps/a b/app-debug.apk --device model=x" in calls(kits)[-1]
    assert (kits / "key.json").read_text(encoding="utf-8") == "{}"


def test_the_matrix_of_apps(tmp_path: Path) -> None:
    jobs = {platform: ci.apps(listed(tmp_path), tmp_path, platform)["include"] for platform in ci.APPS}
    assert [(job["name"], job["cpu"]) for job in jobs["android"]] == [("n-android-cpu", True)]
    assert [(job["name"], job["cpu"]) for job in jobs["ios"]] == [("n-ios-coreml", False)]
    assert [(job["target"], job["runner"], job["cpu"]) for job in jobs["windows"]] == [
        ("windows-cpu", "windows-latest", True),
        ("windows-cpu", "windows-11-arm", True),
        ("windows-webgpu", "windows-latest", False),
    ]
    assert set(ci.APPS) < set(sample.platforms())
