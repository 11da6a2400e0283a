"""The Android sample: resources and manifest pass aapt, its Kotlin compiles, and what of it needs no Android runs."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from edgekit import sample
from edgekit.devices._runner import LIBRARY, SOURCES
from edgekit.inputs import images
from tests import needs
from tests.engines.sample import android
from tests.engines.sample.android import DEBUG, MAIN, Driver
from tests.engines.wrappers.conformance import changed
from tests.engines.wrappers.kotlin import face
from tests.engines.wrappers.small_bundles import pixels, seal_pictures

pytestmark = pytest.mark.tools

NO_ANDROID = {"Sample.kt", "Gathering.kt", "Keeper.kt", "Endings.kt", "Pictures.kt"}


@pytest.fixture(scope="module")
def project(chatting_bundle: Path, sealed_for: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("android") / "project"
    sample.make("android", sealed_for(chatting_bundle, "android", abi=["aarch64"]), folder)
    return folder


@pytest.fixture(scope="module")
def resources(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """aapt's R.java, and what it says: nothing."""
    if shutil.which("aapt") is None or not android.FRAMEWORK.is_file():
        needs.unavailable("aapt or android-framework-res is not installed: make test-tools installs them")
    folder = tmp_path_factory.mktemp("classes")
    assert android.compiled_resources(project, folder) == (0, "")
    return folder


@pytest.fixture(scope="module")
def driver(project: Path, resources: Path) -> Iterator[Driver]:
    for name in ("java", "javac", "npm"):
        if not shutil.which(name):
            needs.unavailable(f"{name} is not installed: make test-tools installs it")
    classes, said = android.compile_sample(project, resources)
    assert said == ""
    machine = Driver(classes)
    yield machine
    assert machine.end() == 0


@pytest.fixture(scope="module")
def jni(runner: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return face.compile_jni(runner.parent / LIBRARY, tmp_path_factory.mktemp("jni"))


@pytest.fixture(scope="module")
def assets(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """assets(width="8", ...): a folder with what the app reads of a bundle, and these lines more."""

    def write(files: str = "", **lines: str) -> Path:
        folder = tmp_path_factory.mktemp("assets")
        (folder / "sample.properties").write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
        (folder / "files.txt").write_text(files, encoding="utf-8")
        return folder

    return write


def test_the_debug_manifest_passes_aapt_too(project: Path, resources: Path, tmp_path: Path) -> None:
    assert android.compiled_resources(project, tmp_path, DEBUG) == (0, "")


def test_aapt_would_find_a_wrong_name(project: Path, resources: Path, tmp_path: Path) -> None:
    broken = tmp_path / "project"
    shutil.copytree(project / MAIN, broken / MAIN)
    layout = broken / MAIN / "res/layout/activity_main.xml"
    layout.write_text(layout.read_text(encoding="utf-8").replace("@string/ask", "@string/asks"), encoding="utf-8")
    code, said = android.compiled_resources(broken, tmp_path)
    assert code and "asks" in said


def test_which_files_are_run_and_which_are_compiled_on_stubs(project: Path) -> None:
    assert android.names_without_android(project) == NO_ANDROID
    page = (project / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in NO_ANDROID)


def test_the_check_modes_native_function(driver: Driver, project: Path, resources: Path) -> None:
    """It is the one that the class asks for, and it compiles against app.h and the JDK's jni.h."""
    told = subprocess.run(
        ["javap", "-p", "-cp", resources, "dev.edgekit.sample.CheckActivity"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "static final native void check(java.lang.String, java.lang.String);" in told
    java = Path(str(shutil.which("javac"))).resolve().parents[1] / "include"
    words = ["c++", "-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", f"-I{SOURCES / 'src'}"]
    words += ["-isystem", str(java), "-isystem", str(java / "linux"), str(project / MAIN / "cpp/check.cpp")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Java_dev_edgekit_sample_CheckActivity_check(" in (project / MAIN / "cpp/check.cpp").read_text("utf-8")


def test_pictures_are_turned_as_exif_says_and_lie_on_white(driver: Driver, jni: Path, tmp_path: Path) -> None:
    """As Pillow does it, to the bit."""
    bundle = changed(seal_pictures(tmp_path, "uint8"), tmp_path, pixels)
    stored = np.random.default_rng(9).integers(0, 256, (5, 3, 4), np.uint8)
    argb = ",".join(f"{alpha:02x}{red:02x}{green:02x}{blue:02x}" for red, green, blue, alpha in stored.reshape(-1, 4))
    picture = Image.fromarray(stored)
    white = Image.alpha_composite(Image.new("RGBA", picture.size, images.WHITE), picture).convert("RGB")
    for orientation in range(9):  # 0, which cameras write too, says nothing
        width, height, data = driver.ask("given", bundle, jni, argb, 3, orientation).split()
        white.getexif()[0x0112] = orientation
        upright = np.asarray(ImageOps.exif_transpose(white))
        assert (int(height), int(width)) == upright.shape[:2] and bytes.fromhex(data) == upright.tobytes()


def test_packs_are_brought_together_and_a_death_between_costs_no_byte(
    driver: Driver, assets: Callable[..., Path], tmp_path: Path
) -> None:
    files = {
        ("model1", "model/a b.data"): b"x" * 70_000,
        ("model2", "model/ü.onnx"): b"yy",
        ("model1", "edgekit.json"): b"",
    }
    for (pack, path), data in files.items():
        (tmp_path / "from" / pack / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "from" / pack / path).write_bytes(data)
    folder = assets("".join(f"{pack}\t{len(data)}\t{path}\n" for (pack, path), data in files.items()))
    words = ("gather", folder, tmp_path / "from", tmp_path / "to")
    assert driver.ask(*words, 70_001, 9) == "no room 70002 70001"
    assert not list((tmp_path / "to").rglob("*.*"))
    assert driver.ask(*words, 70_002, 1) == "model1,model2 false"
    (tmp_path / "to/model/a b.data").write_bytes(b"cut off")  # as a full disk leaves it
    assert driver.ask(*words, 1 << 40, 9) == "model1,model2 true"
    made = {path: (tmp_path / "to" / path).read_bytes() for _, path in files}
    assert made == {path: data for (_, path), data in files.items()}
    assert driver.ask(*words, 0, 9) == " true" and not list((tmp_path / "to").rglob("*.part"))


@pytest.mark.parametrize(
    "reason, status, description, noted, told",
    [
        (3, 0, "", "", "Android ended the app for memory"),
        (
            3,
            0,
            "lmkd",
            "{fits=true}",
            "Android ended the app for memory. Before its last answer preflight had said: {fits=true}",
        ),
        (13, 0, "MemoryLimiter:AnonSwap", "", "Android's memory limiter ended the app"),
        (2, 9, "", "", "null"),  # the user, or whoever
        (
            2,
            9,
            "",
            "{fits=null}",
            "the app was killed while it answered, perhaps for memory. Before its last answer "
            "preflight had said: {fits=null}",
        ),
        (10, 0, "user request", "{fits=true}", "null"),
    ],
)
def test_the_last_end(reason: int, status: int, description: str, noted: str, told: str, driver: Driver) -> None:
    assert driver.ask("ending", reason, status, description, noted) == told


def test_memory_is_given_back_when_nobody_sees_the_app(driver: Driver, jni: Path, talking: Path) -> None:
    """Hidden in mid-answer the answer ends and the caches go; in the background the weights; the next turn goes on."""
    *told, history = driver.ask("keep", talking, jni).split("\t")
    assert told == [
        *("mapped false", "reused false loaded false"),  # the weights are in memory already: none would be added
        *("mapped false", "reused true loaded false", "over true"),
        *("mapped true", "reused false loaded true"),
        "cancelled true",
    ]
    messages = json.loads(history)
    assert [message["role"] for message in messages] == ["user", "assistant"] * 3


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory, chatting_bundle: Path) -> Path:
    """Its manifest states what memory it takes."""
    from tests.engines.wrappers.small_bundles import copy
    from tests.unit.injections import reseal

    def state(manifest: dict[str, Any]) -> None:
        manifest["memory"] |= {"kv_bytes_at_max_length": 1 << 20, "kv_bytes_per_token": 256, "mapped_bytes": 1 << 16}

    return reseal(copy(chatting_bundle, tmp_path_factory.mktemp("talking") / chatting_bundle.name), state)


@pytest.mark.nightly
def test_the_native_parts_are_built_by_the_projects_own_cmake(project: Path, tmp_path: Path) -> None:
    """For this machine, with its JSON headers in place of the archive that is fetched: the NDK is not here."""
    java = Path(str(shutil.which("javac"))).resolve().parents[1] / "include"
    flags = f"-isystem {java} -isystem {java / 'linux'}"
    settings = ["-DFETCHCONTENT_SOURCE_DIR_JSON=/usr", f"-DCMAKE_CXX_FLAGS={flags}", "-DCMAKE_BUILD_TYPE=Release"]
    targets = ["--target", "edgekit", "edgekit_jni", "edgekit_check", "--parallel", "2"]
    for words in (["-S", project / MAIN / "cpp", "-B", tmp_path, *settings], ["--build", tmp_path, *targets]):
        done = subprocess.run(["cmake", *map(str, words)], capture_output=True, text=True, check=False, timeout=900)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    exported = subprocess.run(
        ["nm", "-D", "--defined-only", tmp_path / "libedgekit_check.so"], capture_output=True, text=True
    )
    assert "Java_dev_edgekit_sample_CheckActivity_check" in exported.stdout
