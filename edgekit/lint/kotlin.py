"""What the compiler of an app needs of the classes in a package: their Java, and Kotlin's metadata."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.lint._artifact import Part
from edgekit.lint._rule import Fault, Rule

JAVA = 17  # what the Android Gradle plugin 8 and later compile for
KOTLIN = (2, 3)  # a compiler reads the metadata of its own version and of one later: from 2.2 on, what AGP 9 brings


def _java(part: Part) -> Iterator[Fault]:
    for path, jar in part.jars.items():
        if jar.java > JAVA:
            yield Fault(path, f"its classes are of Java {jar.java}")


def _metadata(part: Part) -> Iterator[Fault]:
    for path, jar in part.jars.items():
        for module, version in jar.kotlin.items():
            if version[:2] > KOTLIN:
                major, minor = version[:2]
                yield Fault(
                    path, f"{module} is of Kotlin {major}.{minor}: compilers before {major}.{minor - 1} refuse it"
                )


def _no_module(part: Part) -> Iterator[Fault]:
    for path, jar in part.jars.items():
        if jar.written_in_kotlin and not jar.kotlin:
            count = len(jar.written_in_kotlin)
            yield Fault(path, f"{count} of its classes are Kotlin's, and META-INF has no .kotlin_module")


RULES = (
    Rule(
        "java-version",
        "warning",
        f"classes for a newer Java than {JAVA}, which builds of apps on that JDK do not read",
        "compile them with --release 11 (jvmTarget 11)",
        "https://developer.android.com/build/jdks",
        ("aar",),
        _java,
    ),
    Rule(
        "kotlin-metadata",
        "warning",
        "Kotlin metadata that only the newest compilers read",
        "compile with an older languageVersion and apiVersion",
        "https://kotlinlang.org/docs/kotlin-evolution-principles.html#evolving-the-binary-format",
        ("aar",),
        _metadata,
    ),
    Rule(
        "kotlin-module",
        "warning",
        "Kotlin classes without META-INF/*.kotlin_module: their top-level functions are not seen",
        "keep META-INF/*.kotlin_module when the package is made",
        "https://developer.android.com/studio/projects/android-library#aar-contents",
        ("aar",),
        _no_module,
    ),
)
