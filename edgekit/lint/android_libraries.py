"""Native libraries for Android: the ABIs they are for, and the libraries and the system that they need."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.lint._artifact import Part
from edgekit.lint._elf import ABIS
from edgekit.lint._report import Kind
from edgekit.lint._rule import Fault, Rule

ON: tuple[Kind, ...] = ("aar", "apk", "folder")
# The libraries that every device has for apps, of the newest NDK.
SYSTEM = {
    *("libaaudio.so", "libamidi.so", "libandroid.so", "libbinder_ndk.so", "libc.so", "libcamera2ndk.so", "libdl.so"),
    *("libEGL.so", "libGLESv1_CM.so", "libGLESv2.so", "libGLESv3.so", "libicu.so", "libjnigraphics.so", "liblog.so"),
    *("libm.so", "libmediandk.so", "libnativehelper.so", "libnativewindow.so", "libneuralnetworks.so"),
    *("libOpenMAXAL.so", "libOpenSLES.so", "libstdc++.so", "libsync.so", "libvulkan.so", "libz.so"),
}
ENGINES = ("libonnxruntime.so", "libonnxruntime-genai.so")
PAIRS = {"armeabi-v7a": "arm64-v8a", "x86": "x86_64"}


def _other_machine(part: Part) -> Iterator[Fault]:
    for path, abi in part.android.items():
        elf = part.elves.get(path)
        if elf is not None and elf.machine != ABIS[abi][0]:
            yield Fault(path, f"it is built for {elf.machine}, not for {abi} ({ABIS[abi][0]})")


def _unmet(part: Part) -> Iterator[Fault]:
    for path, abi in part.android.items():
        beside = {other.rpartition("/")[2] for other, its in part.android.items() if its == abi}
        elf = part.elves.get(path)
        for name in elf.needed if elf is not None else ():
            if name not in beside and name not in SYSTEM:
                engine = part.kind != "apk" and name in ENGINES
                why = ": another package has to bring it" if engine else " nor Android's"
                yield Fault(path, f"it needs {name}, which is not here{why}", "note" if engine else None)


def _without_engine(part: Part) -> Iterator[Fault]:
    abis: dict[str, set[str]] = {}
    for path, abi in part.android.items():
        abis.setdefault(abi, set()).add(path.rpartition("/")[2])
    for engine in ENGINES:
        lacking = sorted(abi for abi, names in abis.items() if engine not in names)
        if len(lacking) < len(abis):
            for abi in lacking:
                folder = next(path for path, its in part.android.items() if its == abi).rpartition("/")[0]
                yield Fault(folder, f"{abi} has no {engine}, other ABIs have it")


def _only_32(part: Part) -> Iterator[Fault]:
    abis = set(part.android.values())
    for abi in sorted(abis & PAIRS.keys()):
        if PAIRS[abi] not in abis:
            yield Fault("", f"it has code for {abi} and none for {PAIRS[abi]}")


def _relocated(part: Part) -> Iterator[Fault]:
    for path in part.android:
        if path in part.elves and part.elves[path].relocates_text:
            yield Fault(path, "it has text relocations")


def _too_new(part: Part) -> Iterator[Fault]:
    least = part.manifest.min_sdk if part.manifest is not None else None
    for path in part.android:
        level = part.elves[path].api if path in part.elves else None
        if least is not None and level is not None and level > least:
            yield Fault(path, f"it is built for API {level}, the manifest's minSdkVersion is {least}")


RULES = (
    Rule(
        "android-machine",
        "error",
        "a library in the folder of an ABI that it is not built for",
        "put each build into the folder of its own ABI",
        "https://developer.android.com/ndk/guides/abis",
        ON,
        _other_machine,
    ),
    Rule(
        "android-needed",
        "error",
        "a library that needs one which is not there (DT_NEEDED)",
        "add that library, or build without it; libc.so.6 and libstdc++.so.6 are Linux's: build with the NDK",
        "https://developer.android.com/ndk/guides/stable_apis",
        ON,
        _unmet,
    ),
    Rule(
        "android-abi-engine",
        "error",
        "an ABI without the engine that other ABIs have",
        "add the engine for it, or leave the ABI out (ndk.abiFilters)",
        "https://developer.android.com/ndk/guides/abis",
        ON,
        _without_engine,
    ),
    Rule(
        "android-64-bit",
        "error",
        "code for a 32-bit ABI without its 64-bit one",
        "add the 64-bit build; Play takes no app without it",
        "https://developer.android.com/google/play/requirements/64-bit",
        ON,
        _only_32,
    ),
    Rule(
        "android-text-relocations",
        "error",
        "a library with text relocations, which Android 6 and later refuse to load",
        "build it as position independent code (-fPIC)",
        "https://android.googlesource.com/platform/bionic/+/main/android-changes-for-ndk-developers.md",
        ON,
        _relocated,
    ),
    Rule(
        "android-min-sdk",
        "error",
        "a library built for a newer Android than minSdkVersion lets in",
        "raise minSdkVersion to that level, or build the library for the older one (ANDROID_PLATFORM)",
        "https://developer.android.com/ndk/guides/sdk-versions",
        ("aar", "apk"),
        _too_new,
    ),
)
