"""Android: a Maven repository with an AAR, the Kotlin face and the libraries; compiled by Google's NDK alone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from edgekit.devices import _runner
from edgekit.errors import ToolMissing, UsageError
from edgekit.packs import Asked, Made, _kotlin, _maven

NAME = "edgekit-android"
MIN_SDK = 28  # as the NDK is told
_MANIFEST = f"""\
<?xml version="1.0" encoding="utf-8"?>
<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="edgekit">
    <uses-sdk android:minSdkVersion="{MIN_SDK}" />
</manifest>
"""
_KEEP = "-keepclasseswithmembernames,includedescriptorclasses class edgekit.Native {{ native <methods>; }}\n"
_ATTRIBUTES = {"org.gradle.libraryelements": "aar", "org.gradle.jvm.environment": "android"}


def ready(asked: Asked) -> None:
    """Refuse where there is no NDK, no Kotlin, or no AAR; compile the core, before anything is written."""
    for wanted in _platforms(asked):
        _clang(wanted)
    _kotlin.ready()
    _engines(asked)
    for wanted in _platforms(asked):
        _runner.build(wanted)


def write(room: Path, asked: Asked) -> Made:
    """edgekit/edgekit-android/VERSION/ as Maven has it."""
    artifact = _maven.Artifact(NAME, "aar", _kotlin.dependencies())
    engines = _engines(asked)
    with tempfile.TemporaryDirectory(prefix="edgekit-aar-") as name:
        folder = Path(name)
        _maven.archive(folder / "classes.jar", _kotlin.classes())
        libraries = dict(_native(folder, asked))
        entries = contents((folder / "classes.jar").read_bytes(), libraries, engines)
    _maven.archive(room / artifact.file, entries)
    _maven.publish(room, artifact, _ATTRIBUTES)
    notes = [f"of the engines' AAR: {', '.join(sorted(engines))}"]
    if any(path.endswith("/libmat.so") for path in engines):
        notes.append("not shippable on Play: libmat.so is telemetry and aligned to 4 KB (docs/embedding.md)")
    return Made((f'implementation("{artifact.line}")',), tuple(notes))


def contents(classes: bytes, libraries: dict[str, bytes], engines: dict[str, bytes]) -> dict[str, bytes]:
    """The entries of the AAR: no permission, no provider, no class but the face's, whatever the engines' AAR has."""
    texts = {"AndroidManifest.xml": _MANIFEST, "proguard.txt": _KEEP.format(), "R.txt": ""}
    return {**{name: text.encode() for name, text in texts.items()}, "classes.jar": classes, **engines, **libraries}


def _platforms(asked: Asked) -> list[_runner.Platform]:
    known = {each.abi: each for each in _runner.PLATFORMS if each.os == "android"}
    if strange := [abi for abi in asked.abis if abi not in known]:
        raise UsageError(f"Android is not built for {strange[0]}", next=f"--abi: one of {', '.join(known)}")
    return [known[abi] for abi in asked.abis or ("aarch64",)]


def _clang(wanted: _runner.Platform) -> list[str]:
    """The NDK's compiler for this ABI; its libraries are aligned to 16 KB, as Play asks."""
    try:
        ndk = Path(_runner.toolchain(wanted)[0].partition("=")[2]).parents[2]
    except ToolMissing as missing:
        line = "ANDROID_NDK_HOME=/path/to/android-ndk edgekit runtime pack --for android ... (docs/embedding.md)"
        raise ToolMissing(missing.message, next=line) from None
    name = f"{wanted.abi}-linux-android{MIN_SDK}-clang++"
    path = next(iter(sorted(ndk.glob(f"toolchains/llvm/prebuilt/*/bin/{name}"))), None)
    if path is None:
        raise ToolMissing(f"the NDK in {ndk} has no {name}", next="take the NDK r27 or later")
    return [str(path), "-static-libstdc++", "-Wl,-z,max-page-size=16384"]


def _native(folder: Path, asked: Asked) -> Iterator[tuple[str, bytes]]:
    """Our own libraries, by their path in an AAR."""
    for wanted in _platforms(asked):
        home = _runner.build(wanted).parent
        _kotlin.library(_clang(wanted), home, folder)
        for path in (home / _runner.LIBRARY, folder / _kotlin.JNI):
            yield f"jni/{wanted.android_abi}/{path.name}", path.read_bytes()


def _engines(asked: Asked) -> dict[str, bytes]:
    """The libraries of the engines' AAR for the ABIs that are asked for, and nothing else of it.

    Raises:
        UsageError: none was given, it is none, or it has no library for an ABI.
    """
    if asked.engines is None:
        raise UsageError("a pack for Android needs the engines' AAR", next="name it: --engines onnxruntime-genai.aar")
    try:
        with ZipFile(asked.engines) as aar:
            inside = [name for name in aar.namelist() if name.startswith("jni/") and name.endswith(".so")]
            wanted = {each.android_abi for each in _platforms(asked)}
            libraries = {name: aar.read(name) for name in inside if name.split("/")[1] in wanted}
    except (OSError, BadZipFile) as error:
        raise UsageError(f"{asked.engines} is no AAR: {error}", next="give onnxruntime-genai.aar") from None
    if lacking := wanted - {name.split("/")[1] for name in libraries}:
        raise UsageError(f"{asked.engines} has no library for {min(lacking)}", next="leave that --abi out")
    return libraries
