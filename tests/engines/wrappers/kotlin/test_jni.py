"""jni.cpp, called by a JVM without Kotlin (Native.java): as it is, and under sanitizers where `make sanitize` asks.

EDGEKIT_JNI_SANITIZED names a folder with libedgekit and the tests' engine that were built under AddressSanitizer and
UndefinedBehaviorSanitizer: jni.cpp is then, too. The JVM itself is not: it has g++'s libasan before it, leaves it no
SIGSEGV, which HotSpot uses, and looks for no leaks, of which a JVM has its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from edgekit.devices._runner import LIBRARY, SOURCES
from tests import needs
from tests.engines.wrappers.kotlin import face

pytestmark = pytest.mark.nightly

HERE = Path(__file__).parent
SANITIZED = os.environ.get("EDGEKIT_JNI_SANITIZED")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g1", "-fno-omit-frame-pointer")
COMPILER = ("g++", *SANITIZERS) if SANITIZED else ()
FREED = "    edgekit_error_free(error);\n    return true;"


@pytest.fixture(scope="module")
def built(runner: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with libedgekit and the tests' engine."""
    if SANITIZED:
        return Path(SANITIZED)
    folder = tmp_path_factory.mktemp("built")
    shutil.copyfile(runner.parent / LIBRARY, folder / LIBRARY)
    words: list[str | Path] = ["g++", "-std=c++17", f"-I{SOURCES / 'src'}", "-shared", "-fPIC"]
    engine = SOURCES.parents[2] / "tests/engines/wrappers/cpp/stub/engine.cpp"
    subprocess.run([*words, engine, "-o", folder / "libstub-engine.so"], check=True, timeout=300)
    return folder


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name in ("java", "javac", "g++"):
        if not shutil.which(name):
            needs.unavailable(f"{name} is not installed: make test-tools installs it")
    folder = tmp_path_factory.mktemp("classes")
    java: list[str | Path] = ["javac", "--release", "11", "-Xlint:all", "-Werror", "-d", folder, HERE / "Native.java"]
    subprocess.run(java, check=True, timeout=300)
    return folder


def said(classes: Path, jni: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """What a JVM says that calls every function."""
    env = dict(os.environ)
    if SANITIZED:
        asan = subprocess.run(["g++", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True).stdout
        env |= {"LD_PRELOAD": asan.strip(), "UBSAN_OPTIONS": "print_stacktrace=1"}
        env["ASAN_OPTIONS"] = "handle_segv=0:detect_leaks=0:allow_user_segv_handler=1:detect_odr_violation=0"
    java: list[str | Path] = [
        "java",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-Xcheck:jni",
        "-cp",
        classes,
        "edgekit.Native",
    ]
    return subprocess.run([*java, jni, *words], env=env, capture_output=True, text=True, check=False, timeout=300)


def test_every_function(
    built: Path, classes: Path, runner: Path, talking_bundle: Path, classes_bundle: Path, tmp_path: Path
) -> None:
    """Under sanitizers, too, an error that is freed twice ends the machine."""
    onnxruntime = next(iter(runner.parent.glob("libonnxruntime.so*")))
    words = [talking_bundle, built / "libstub-engine.so", classes_bundle, onnxruntime]
    jni = face.compile_jni(built / LIBRARY, tmp_path, compiler=COMPILER)
    done = said(classes, jni, *words)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stdout[-2000:] + done.stderr[-6000:]
    if SANITIZED:
        source = (face.SOURCES / "jni.cpp").read_text(encoding="utf-8")
        assert source.count(FREED) == 1
        wrong = tmp_path / "jni.cpp"
        wrong.write_text(source.replace(FREED, "    edgekit_error_free(error);\n" + FREED), encoding="utf-8")
        done = said(classes, face.compile_jni(built / LIBRARY, tmp_path, wrong, COMPILER), *words)
        assert done.returncode and "AddressSanitizer: heap-use-after-free" in done.stderr, done.stderr[-4000:]
