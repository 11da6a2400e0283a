"""The Kotlin face by the real compiler, and a JVM that uses it (Driver.kt), asked from Python."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgekit.devices import _runner
from edgekit.tools import QUIET_ENGINES
from edgekit.wrappers.python.manifest import host_abi
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


class Refusal(Exception):
    """A Refused of the face."""

    def __init__(self, code: str, message: str, next: str, axis: str) -> None:
        super().__init__(message)
        self.code, self.next, self.axis = code, next, axis


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


def compile_jni(library: Path, folder: Path, source: Path = SOURCES / "jni.cpp") -> Path:
    """The JNI library beside nothing; it finds libedgekit where that was built."""
    words = _runner._compiler(_runner.platform(f"linux-{host_abi()}"))
    java = Path(str(shutil.which("javac"))).resolve().parents[1] / "include"
    headers = [f"-I{_runner.SOURCES / 'src'}", "-isystem", java, "-isystem", java / "linux"]
    linked = [library, f"-Wl,-rpath,{library.parent}", "-Wl,--no-undefined", "-o", folder / JNI]
    flags = ["-std=c++17", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", *WARNINGS]
    _run([*words, *flags, *headers, source, *linked])
    return folder / JNI


class Jvm:
    """A JVM with the face. What its -Xcheck:jni finds it prints on stdout, where nothing else comes."""

    def __init__(self, classes: Path, jni: Path, folder: Path, *options: str) -> None:
        self.jni, self._stdout, self._stderr = jni, folder / "stdout.txt", folder / "stderr.txt"
        reading, writing = os.pipe()
        path = ":".join(map(str, [classes, *jars()]))
        words = ["java", "-Xcheck:jni", "-XX:TieredStopAtLevel=1", "-ea", *options, "-cp", path, "edgekit.DriverKt"]
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                [*words, f"/dev/fd/{writing}"],
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=stderr,
                env={**os.environ, **QUIET_ENGINES},
                pass_fds=(writing,),
            )
        os.close(writing)
        self._answers = os.fdopen(reading, "rb")

    def ask(self, do: str, **request: Any) -> Any:
        """One request, answered.

        Raises:
            Refusal: the face refuses it.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **request}).encode() + b"\n")
        self._process.stdin.flush()
        line = self._answers.readline()
        assert line, self.findings + self._stderr.read_text(encoding="utf-8", errors="replace")[-4000:]
        answer = json.loads(line)
        if "refused" in answer:
            raise Refusal(**answer["refused"])
        return answer["value"]

    def open(self, folder: Path, **options: Any) -> int:
        """A bundle's number."""
        return int(self.ask("open", folder=str(folder), **{"library": str(self.jni), **options}))

    def end(self) -> int:
        """End its input, and wait for its exit code."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._answers.close()
        return self._process.wait(timeout=60)

    @property
    def findings(self) -> str:
        """All that it wrote on stdout."""
        return self._stdout.read_text(encoding="utf-8", errors="replace")


@contextmanager
def opened(jvm: Jvm, folder: Path, **options: Any) -> Iterator[int]:
    """A bundle's number while it is open."""
    bundle = jvm.open(folder, **options)
    try:
        yield bundle
    finally:
        jvm.ask("close", bundle=bundle)


def _run(words: list[Any]) -> None:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, timeout=300)
    said = done.stdout + done.stderr
    assert done.returncode == 0 and not said.strip(), said[-4000:]
