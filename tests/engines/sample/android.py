"""The Android sample through the tools that are here: aapt, Kotlin's compiler on stubs, a JVM for the rest."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from edgekit.tools import QUIET_ENGINES
from tests.engines.wrappers.kotlin import face
from tests.peers.kotlin_package import compiler, jars

HERE = Path(__file__).parent
FRAMEWORK = Path("/usr/share/android-framework-res/framework-res.apk")  # of Android 10, API 29
MAIN, DEBUG = "app/src/main", "app/src/debug"
YOUNGER = ' android:dataExtractionRules="@xml/extraction"'  # of API 31, which that framework does not know


def compiled_resources(project: Path, folder: Path, source: str = MAIN) -> tuple[int, str]:
    """Manifest and resources through aapt, as AGP gives them to it: with a package, without what API 29 has not.

    Returns:
        aapt's exit code and all that it says. R.java lies in `folder`.
    """
    manifest = (project / source / "AndroidManifest.xml").read_text(encoding="utf-8")
    assert manifest.count(YOUNGER) == (source == MAIN) and "package=" not in manifest
    manifest = manifest.replace("<manifest ", '<manifest package="dev.edgekit.sample" ').replace(YOUNGER, "")
    (folder / "AndroidManifest.xml").write_text(manifest, encoding="utf-8")
    words = ["aapt", "package", "-f", "-m", "-J", folder, "-M", folder / "AndroidManifest.xml", "-I", FRAMEWORK]
    words += ["-S", project / MAIN / "res", "-F", folder / "resources.apk", "--min-sdk-version", "24"]
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


def compile_sample(project: Path, folder: Path) -> tuple[Path, str]:
    """The face, all Kotlin of the app, on stubs of Android, with R of aapt and the driver; what the compiler says."""
    stubs = folder / "stubs"
    for part in (HERE / "android_stubs.txt").read_text(encoding="utf-8").split("=== ")[1:]:
        name, _, text = part.partition("\n")
        (stubs / name).parent.mkdir(parents=True, exist_ok=True)
        (stubs / name).write_text(text, encoding="utf-8")
    sources = [
        *sorted((project / "edgekit/kotlin/src").glob("*.kt")),
        *sorted((project / "app/src").rglob("*.kt")),
        *sorted(stubs.rglob("*.java")),
        folder / "dev/edgekit/sample/R.java",
        HERE / "Driver.kt",
    ]
    words = [*compiler(), "-Werror", *face.LANGUAGE, *face.TARGET, "-cp", ":".join(map(str, jars())), *sources]
    done = subprocess.run(
        [*map(str, words), "-d", str(folder)], capture_output=True, text=True, check=False, timeout=300
    )
    return folder, done.stdout + done.stderr


def names_without_android(project: Path) -> set[str]:
    """The app's Kotlin files that name nothing of Android: they run as they are."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in (project / "app/src").rglob("*.kt")}
    return {name for name, text in texts.items() if not re.search(r"import (android|com\.google)\.", text)}


class Driver:
    """A JVM with Driver.kt, asked line by line."""

    def __init__(self, classes: Path) -> None:
        path = ":".join(map(str, [classes, *jars()]))
        words = ["java", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-cp", path, "dev.edgekit.sample.DriverKt"]
        env = {**os.environ, **QUIET_ENGINES}
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=None, env=env, encoding="utf-8")

    def ask(self, *words: object) -> str:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("\t".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line.endswith("\n"), "the JVM ended"
        return line[:-1]

    def end(self) -> int:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        return self._process.wait(timeout=60)
