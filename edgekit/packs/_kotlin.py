"""The Kotlin face, compiled by the kotlinc that is installed, and its JNI library."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from edgekit import files, tools
from edgekit.devices import _runner
from edgekit.errors import BuildError, ToolMissing

SOURCES = files.resource("wrappers/kotlin/src")
JNI = "libedgekit_jni.so"
KOTLINC = "install Kotlin 2.0 or later, so that kotlinc is on PATH: https://kotlinlang.org/docs/command-line.html"
JAVA = "sudo apt-get install --no-install-recommends openjdk-17-jdk-headless"
COROUTINES = "kotlinx-coroutines-core-jvm"
COMPILE_S = 900.0
# Of the lowest class files that an app may ask for; the language is the compiler's own.
_FLAGS = ("-jvm-target", "11", "-no-reflect", "-module-name", "edgekit")


def ready() -> None:
    """Refuse where Kotlin's compiler is not installed."""
    _coroutines()


def dependencies() -> list[tuple[str, str, str]]:
    """What the face needs, of the versions that it is compiled with."""
    kotlinc = tools.find("kotlinc", next=KOTLINC)
    done = tools.run([kotlinc, "-version"], timeout=COMPILE_S)
    version = re.search(r"kotlinc-jvm ([0-9][0-9A-Za-z.-]*)", done.stdout + done.stderr)
    if version is None:
        raise BuildError("kotlinc does not say its version", next=KOTLINC)
    with ZipFile(_coroutines()) as archive:
        try:
            coroutines = archive.read("META-INF/kotlinx_coroutines_core.version").decode().strip()
        except KeyError:
            raise BuildError(f"{_coroutines()} does not say its version", next=KOTLINC) from None
    return [
        ("org.jetbrains.kotlin", "kotlin-stdlib", version[1]),
        ("org.jetbrains.kotlinx", COROUTINES, coroutines),
    ]


def classes() -> dict[str, bytes]:
    """The face's class files, by their path in an archive."""
    kotlinc = tools.find("kotlinc", next=KOTLINC)
    with tempfile.TemporaryDirectory(prefix="edgekit-kotlin-") as folder:
        sources = sorted(SOURCES.glob("*.kt"))
        done = tools.run([kotlinc, *_FLAGS, "-cp", _coroutines(), "-d", folder, *sources], timeout=COMPILE_S)
        if done.returncode:
            raise _failed("the Kotlin face", done)
        made = {path.relative_to(folder).as_posix(): path for path in Path(folder).rglob("*") if path.is_file()}
        return {name: path.read_bytes() for name, path in made.items()}


def library(words: Sequence[str], core: Path, to: Path) -> None:
    """Compile the JNI library; it finds the core, which lies in the folder `core`, beside itself.

    Args:
        words: the compiler of that platform, with what it has to be told.

    Raises:
        BuildError: the compiler fails.
    """
    headers = [f"-I{_runner.SOURCES / 'src'}"]
    # As CMakeLists.txt compiles the core: Zig makes its C++ library anew for every other choice.
    flags = ["-std=c++17", "-Os", "-flto", "-shared", "-fPIC", "-fvisibility=hidden", "-static-libstdc++", "-s"]
    linked: list[str | Path] = [core / _runner.LIBRARY, "-Wl,-rpath,$ORIGIN", "-Wl,--no-undefined", "-o", to / JNI]
    done = tools.run([*words, *flags, *headers, SOURCES / "jni.cpp", *linked], timeout=COMPILE_S)
    if done.returncode:
        raise _failed(JNI, done)
    (to / JNI).chmod(0o755)


def for_jvm(wanted: _runner.Platform) -> list[str]:
    """The compiler of a Linux platform, with the JDK's headers."""
    java = _java()
    return [*_runner.compiler(wanted), "-isystem", str(java), "-isystem", str(java / "linux")]


def _coroutines() -> Path:
    """The library of coroutines that comes with the compiler."""
    kotlinc = tools.find("kotlinc", next=KOTLINC)
    home = os.environ.get("KOTLIN_HOME") or kotlinc.resolve().parents[1]
    path = Path(home, "lib", f"{COROUTINES}.jar")
    try:
        with ZipFile(path):
            return path
    except (OSError, BadZipFile):
        raise ToolMissing(
            f"{path}, which comes with kotlinc, is not there", next=f"name its folder by KOTLIN_HOME, or {KOTLINC}"
        ) from None


def _java() -> Path:
    """The folder of jni.h."""
    home = os.environ.get("JAVA_HOME")
    include = Path(home or tools.find("javac", next=JAVA).resolve().parents[1], "include")
    if not (include / "jni.h").is_file():
        raise ToolMissing(f"there is no jni.h in {include}", next=f"name a JDK's folder by JAVA_HOME, or {JAVA}")
    return include


def _failed(what: str, done: tools.Done) -> BuildError:
    lines = [line.strip() for line in (done.stderr + "\n" + done.stdout).splitlines() if line.strip()]
    said = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "it said nothing")
    return BuildError(f"{what} cannot be compiled: {said[:300]}", next="report it with your compiler's version")
