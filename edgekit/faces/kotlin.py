"""Kotlin, over the C++ core: Android, and any JVM."""

from edgekit import files
from edgekit.faces import Face, _core

FACE = Face(
    "Kotlin",
    "kt",
    {**_core.FOLDERS, "kotlin": files.resource("wrappers/kotlin")},
    rf"{_core.SHAPE}|kotlin/src/[A-Za-z0-9_]+\.(kt|cpp)",
    files.resource("wrappers/kotlin/hello"),
)
