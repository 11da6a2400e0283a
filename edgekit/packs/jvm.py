"""Any JVM on Linux: a Maven repository with the Kotlin face, and its native libraries beside it."""

from __future__ import annotations

from pathlib import Path

from edgekit.packs import Asked, Made, _kotlin, _maven, _native

_MANIFEST = b"Manifest-Version: 1.0\r\nAutomatic-Module-Name: edgekit\r\n\r\n"
# Gradle's, of a library for JVMs from 11 on.
_ATTRIBUTES = {
    "org.gradle.dependency.bundling": "external",
    "org.gradle.jvm.environment": "standard-jvm",
    "org.gradle.libraryelements": "jar",
}


def ready(asked: Asked) -> None:
    """Build what is packed, before anything is written."""
    wanted = _native.platforms(asked)
    _kotlin.ready()
    for each in wanted:
        _kotlin.for_jvm(each)
        _native.built(each)


def write(room: Path, asked: Asked) -> Made:
    """edgekit/edgekit-jvm/VERSION/ as Maven has it, and natives/linux-ABI/, which java.library.path names."""
    artifact = _maven.Artifact("edgekit-jvm", "jar", _kotlin.dependencies())
    _maven.archive(room / artifact.file, {"META-INF/MANIFEST.MF": _MANIFEST, **_kotlin.classes()})
    _maven.publish(room, artifact, _ATTRIBUTES)
    wanted, engines = _native.platforms(asked), []
    for each in wanted:
        natives = room / "natives" / each.name
        engines = _native.place(_native.built(each), natives)
        _kotlin.library(_kotlin.for_jvm(each), natives, natives)
    use = (f'implementation("{artifact.line}")', "-Djava.library.path=natives/linux-ABI")
    return Made(use, (f"for {', '.join(each.abi for each in wanted)}, with {', '.join(engines)}",))
