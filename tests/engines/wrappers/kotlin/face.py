"""The Kotlin face by the real compiler, and a JVM that uses it (Driver.kt), asked from Python."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.devices import _runner
from edgekit.wrappers.python.manifest import host_abi
from tests.engines.wrappers.conformance_face import FaceProcess
from tests.peers.kotlin_package import compiler, jars

SOURCES = _runner.SOURCES.with_name("kotlin") / "src"
HERE = Path(__file__).parent
JNI = "libedgekit_jni.so"
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wold-style-cast", "-Werror")
# The lowest language that this compiler takes; that it will not for ever is no warning about our code.
LANGUAGE = ("-language-version", "2.0", "-api-version", "2.0", "-Xsuppress-version-warnings")
TARGET = ("-jvm-target", "11", "-Xjdk-release=11", "-no-stdlib", "-no-reflect")


README = """package edgekit

import java.io.File

internal suspend fun readme(folder: String): String {{
    var saved: String
{lines}
    return saved
}}
"""


def compile_classes(folder: Path) -> Path:
    """The face, the driver and the lines of the README, where every warning is an error."""
    readme = folder / "Readme.kt"
    readme.write_text(README.format(lines=readme_lines()), encoding="utf-8")
    sources = [*sorted(SOURCES.glob("*.kt")), readme, HERE / "Driver.kt", HERE / "Heard.java"]
    path = ":".join(map(str, jars()))
    strict = ["-Werror", "-Xexplicit-api=strict"]
    _run([*compiler(), *strict, *LANGUAGE, *TARGET, "-cp", path, *sources, "-d", folder])
    java = ["javac", "--release", "11", "-Xlint:all", "-Werror", "-cp", f"{folder}:{path}", "-d", folder]
    _run([*java, HERE / "Heard.java"])
    return folder


def readme_lines() -> str:
    """The Kotlin that the face's README shows."""
    text = SOURCES.with_name("README.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"```kotlin\n(.*?)```", text, re.DOTALL)
    return str(lines).rstrip()


def compile_jni(library: Path, folder: Path, source: Path = SOURCES / "jni.cpp", compiler: Sequence[str] = ()) -> Path:
    """The JNI library beside nothing; it finds libedgekit where that was built."""
    words = compiler or _runner.compiler(_runner.platform(f"linux-{host_abi()}"))
    java = Path(str(shutil.which("javac"))).resolve().parents[1] / "include"
    headers = [f"-I{_runner.SOURCES / 'src'}", "-isystem", java, "-isystem", java / "linux"]
    linked = [library, f"-Wl,-rpath,{library.parent}", "-Wl,--no-undefined", "-o", folder / JNI]
    flags = ["-std=c++17", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", *WARNINGS]
    _run([*words, *flags, *headers, source, *linked])
    return folder / JNI


class Jvm(FaceProcess):
    """A JVM with the face. What its -Xcheck:jni finds it prints on stdout, where nothing else comes."""

    def __init__(
        self, classes: Path, jni: Path, folder: Path, *options: str, env: Mapping[str, str] | None = None
    ) -> None:
        self.jni = jni
        path = ":".join(map(str, [classes, *jars()]))
        words = ["java", "-Xcheck:jni", "-XX:TieredStopAtLevel=1", "-ea", *options, "-cp", path, "edgekit.DriverKt"]
        super().__init__(words, folder, env, library=str(jni))


def _run(words: list[Any]) -> None:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, timeout=300)
    said = done.stdout + done.stderr
    assert done.returncode == 0 and not said.strip(), said[-4000:]
