"""Kotlin's compiler 2.4.20 with its library and coroutines, of the npm package kotlin-compiler (Apache-2.0)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.peers.npm_package import Package

PACKAGE = Package("kotlin-compiler@2.4.20", "c23dab400d7ce5ea8b6c909947c0ca5454189e4bb1108695b5f464500e5e950f")
NEEDS = ("kotlin-stdlib", "kotlinx-coroutines-core-jvm")  # of programs
OWN = ("kotlin-compiler", "kotlin-script-runtime", "kotlin-reflect", "annotations-13.0")


def jars() -> list[Path]:
    """What programs need besides their own classes, fetched once."""
    return _jars(NEEDS)


def all_jars() -> list[Path]:
    """The compiler's own and what programs need, as they lie in lib/ of its distribution."""
    return _jars((*OWN, *NEEDS))


def compiler() -> list[str]:
    """The words that run the compiler, on any JVM."""
    path = ":".join(map(str, all_jars()))
    return ["java", "-XX:TieredStopAtLevel=1", "-cp", path, "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"]


def _jars(names: Iterable[str]) -> list[Path]:
    folder = PACKAGE.folder("package/lib")
    return [folder / f"{name}.jar" for name in names]
