"""For each rule a package with its fault, and one beside it that must not be flagged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.contract.manifest import File, Manifest, seal_digest
from edgekit.data import jsonable, pretty
from edgekit.kinds import Footprint, Package
from edgekit.lint._report import Severity
from edgekit.lint.sizes import ENTITLEMENT
from edgekit.target import load
from tests.unit.bundle.tiny_bundle import PASS, draft
from tests.unit.lint import made
from tests.unit.lint.made import JAR, LIBRARIES, MANIFEST, PLIST, SDK, aar, apk, app, elf, framework, macho, pe, reason

GENAI = "jni/arm64-v8a/libonnxruntime-genai.so"
ARM = "jni/arm64-v8a/libengine.so"
INTERNET = '<uses-permission android:name="android.permission.INTERNET"/>'
PROVIDER = '<application><provider android:name="org.Init" android:authorities="{}"/></application>'
LICENSE = File(path="LICENSES/LICENSE.txt", size=4, sha256="0" * 64, role="license")


class Planted(NamedTuple):
    """How the two are made below a folder, and what the fault counts as."""

    bad: Callable[[Path], Path]
    good: Callable[[Path], Path]
    severity: Severity = "error"


def bundle(at: Path, *, system: str = "android", files: tuple[tuple[str, int], ...] = (), **changes: Any) -> Path:
    """A bundle of which only the manifest is there, which says what the rules ask."""
    target = draft().target.model_copy(update={"os": system, "runtime": changes.pop("runtime", ())})
    contract = draft().contract.model_copy(update={"labels": None})
    sizes = (("model/portable/model.onnx", 1000), *files)
    model = tuple(File(path=path, size=size, sha256="0" * 64, role="model", variant="portable") for path, size in sizes)
    text = changes.pop("texts", (LICENSE,))
    known = draft(target=target, contract=contract, **changes)
    data = jsonable(Manifest(**dict(known), quality=PASS, files=(*model, *text)))
    folder = at / "bundle"
    folder.mkdir()
    (folder / "edgekit.json").write_text(pretty({**data, "sha256": seal_digest(data)}), encoding="utf-8")
    return folder


def packages(name: str, kind: str) -> tuple[Package, ...]:
    """What a target's apps link, if its packages were for models of this kind."""
    return tuple(each.model_copy(update={"kinds": (kind,)}) for each in load(name).runtime)


def license_of(name: str) -> Any:
    """A source with this licence."""
    return draft().source.model_copy(update={"license": name})


def mapping(gib: float) -> Footprint:
    """Weights of this size."""
    return Footprint(mapped_bytes=int(gib * 2**30), predicted_peak_bytes=10**9)


def folder(at: Path, files: dict[str, bytes]) -> Path:
    """A folder of files."""
    for path, data in files.items():
        place = at / "folder" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return at / "folder"


def library(at: Path, path: str = ARM, **how: Any) -> Path:
    """An AAR with one library more."""
    return aar(at / "a.aar", libraries={**LIBRARIES, path: elf(path.split("/")[1], **how)})


def manifest(at: Path, inside: str) -> Path:
    """An AAR with this manifest."""
    return aar(at / "a.aar", manifest=MANIFEST.format(inside).encode())


def packed(at: Path, extracts: str) -> Path:
    """An APK whose libraries are compressed."""
    application = f'{SDK}<application android:extractNativeLibs="{extracts}"/>'
    return apk(at / "a.apk", manifest=MANIFEST.format(application), page=0)


def jar(at: Path, files: dict[str, bytes]) -> Path:
    """An AAR with these classes."""
    return aar(at / "a.aar", jar=files)


def module(*version: int) -> dict[str, bytes]:
    """Classes of this Kotlin."""
    return {**JAR, "META-INF/a.kotlin_module": made.kotlin_module(*version, 0)}


def windows(at: Path, program: str, *, dll: bool, beside: bool) -> Path:
    """A program or a DLL that imports onnxruntime.dll, which lies beside it or elsewhere."""
    runtime = "bin/onnxruntime.dll" if beside else "other/onnxruntime.dll"
    imports = ("kernel32.dll", "onnxruntime.dll")
    return folder(at, {f"bin/{program}": pe(dll=dll, imports=imports), runtime: pe(exports="OrtGetApiBase")})


def without(*keys: str, **more: Any) -> dict[str, Any]:
    """An Info.plist that lacks keys."""
    return {key: value for key, value in PLIST.items() if key not in keys} | more


STAT = macho(uses=("_stat", "_malloc"))
PLANTED: dict[str, Planted] = {
    "android-16k-load": Planted(
        lambda at: library(at, align=4096),
        lambda at: library(at, "jni/armeabi-v7a/libengine.so", align=4096),  # the rule is for 64 bits
    ),
    "android-16k-offset": Planted(
        lambda at: apk(at / "a.apk", page=4096, more={"assets/x": b"x" * 5000}),
        lambda at: apk(at / "a.apk", page=16_384, more={"assets/x": b"x" * 5000}),
    ),
    "android-packed-library": Planted(lambda at: packed(at, "false"), lambda at: packed(at, "true")),
    "android-machine": Planted(
        lambda at: aar(at / "a.aar", libraries={**LIBRARIES, ARM: elf("x86_64")}), lambda at: library(at)
    ),
    "android-needed": Planted(
        lambda at: library(at, needed=("libmat.so", "libc.so")),
        lambda at: aar(at / "a.aar", libraries={**LIBRARIES, ARM: elf(needed=("libonnxruntime.so", "liblog.so"))}),
    ),
    "android-abi-engine": Planted(
        lambda at: aar(at / "a.aar", libraries={**LIBRARIES, "jni/x86/libonnxruntime.so": elf("x86"), GENAI: elf()}),
        lambda at: aar(at / "a.aar", libraries={ARM: elf(), "jni/x86_64/libengine.so": elf("x86_64")}),
    ),
    "android-64-bit": Planted(
        lambda at: aar(at / "a.aar", libraries={"jni/armeabi-v7a/libonnxruntime.so": elf("armeabi-v7a")}),
        lambda at: aar(at / "a.aar"),
    ),
    "android-text-relocations": Planted(
        lambda at: library(at, "jni/x86/libengine.so", text_relocations=True), lambda at: library(at)
    ),
    "android-min-sdk": Planted(lambda at: library(at, api=28), lambda at: library(at, api=21)),
    "aar-permission": Planted(lambda at: manifest(at, SDK + INTERNET), lambda at: manifest(at, SDK), "warning"),
    "aar-provider": Planted(
        lambda at: manifest(at, SDK + PROVIDER.format("${applicationId}.init")),
        lambda at: manifest(at, SDK + "<application/>"),
        "warning",
    ),
    "aar-provider-authority": Planted(
        lambda at: manifest(at, SDK + PROVIDER.format("org.example.init")),
        lambda at: manifest(at, SDK + PROVIDER.format("${applicationId}.init")),
    ),
    "aar-min-sdk": Planted(lambda at: manifest(at, "<application/>"), lambda at: manifest(at, SDK), "warning"),
    "apk-target-sdk": Planted(
        lambda at: apk(at / "a.apk", manifest=MANIFEST.format(SDK.replace("36", "35"))), lambda at: apk(at / "a.apk")
    ),
    "apk-debuggable": Planted(
        lambda at: apk(at / "a.apk", manifest=MANIFEST.format(SDK + '<application android:debuggable="true"/>')),
        lambda at: apk(at / "a.apk", manifest=MANIFEST.format(SDK + '<application android:debuggable="false"/>')),
    ),
    "java-version": Planted(
        lambda at: jar(at, {"A.class": made.java_class(21)}),
        lambda at: jar(at, {"A.class": made.java_class(17)}),
        "warning",
    ),
    "kotlin-metadata": Planted(lambda at: jar(at, module(2, 4)), lambda at: jar(at, module(2, 3)), "warning"),
    "kotlin-module": Planted(
        lambda at: jar(at, {"A.class": made.java_class(kotlin=True)}),
        lambda at: jar(at, {"A.class": made.java_class()}),
        "warning",
    ),
    "telemetry-library": Planted(
        lambda at: library(at, "jni/arm64-v8a/libmat.so"), lambda at: library(at, "jni/arm64-v8a/libmath.so"), "warning"
    ),
    "telemetry-address": Planted(
        lambda at: library(at, extra=b"https://mobile.events.data.microsoft.com/OneCollector/1.0"),
        lambda at: library(at, extra=b"https://learn.microsoft.com/data"),
        "warning",
    ),
    "engine-twice": Planted(
        lambda at: library(at, defines="OrtGetApiBase"), lambda at: library(at, needed=("libonnxruntime.so",))
    ),
    "engine-inside": Planted(
        lambda at: library(at, GENAI, defines="OrtGetApiBase"), lambda at: library(at, GENAI), "note"
    ),
    "engine-unshippable": Planted(
        lambda at: bundle(at, runtime=packages("android-cpu", "tensor")),
        lambda at: bundle(at, runtime=packages("android-cpu", "llm")),  # a net of tensors needs no GenAI
        "warning",
    ),
    "windows-dll-name": Planted(
        lambda at: windows(at, "chat.exe", dll=False, beside=False),
        lambda at: windows(at, "chat.exe", dll=False, beside=True),
    ),
    "framework-keys": Planted(
        lambda at: framework(at / "e.framework", plist={**without("MinimumOSVersion"), "CFBundleVersion": ""}),
        lambda at: framework(at / "e.framework"),
    ),
    "framework-platforms": Planted(
        lambda at: framework(at / "e.framework", plist=without("CFBundleSupportedPlatforms")),
        lambda at: framework(at / "e.framework"),
        "warning",
    ),
    "framework-min-os": Planted(
        lambda at: framework(at / "e.framework", code=macho(min_os=(13, 0))),
        lambda at: framework(at / "e.framework", code=macho(min_os=(16, 0)), plist={**PLIST, "MinimumOSVersion": "16"}),
    ),
    "framework-executable": Planted(
        lambda at: framework(at / "e.framework", plist={**PLIST, "CFBundleExecutable": "gone"}),
        lambda at: framework(at / "e.framework"),
    ),
    "xcframework-libraries": Planted(
        lambda at: made.xcframework(at / "e.xcframework", named="ios-arm64_x86_64-simulator"),
        lambda at: made.xcframework(at / "e.xcframework"),
    ),
    "framework-nested": Planted(
        lambda at: framework(framework(at / "a.framework") / "Frameworks" / "b.framework").parents[2],
        lambda at: app(at / "a.app"),
    ),
    "app-simulator-code": Planted(
        lambda at: app(at / "a.app", code=made.universal(macho(), macho(0x01000007, platform=7))),
        lambda at: app(at / "a.app"),
    ),
    "privacy-manifest": Planted(
        lambda at: framework(at / "e.framework", code=STAT, privacy=None),
        lambda at: framework(at / "e.framework", code=STAT, privacy=reason("FileTimestamp", "C617.1")),
    ),
    "privacy-undeclared": Planted(
        lambda at: framework(at / "e.framework", code=STAT, privacy=reason("DiskSpace", "E174.1")),
        lambda at: framework(at / "e.framework", code=STAT, privacy=reason("FileTimestamp", "0A2A.1")),
    ),
    "privacy-reason": Planted(
        lambda at: framework(at / "e.framework", privacy=reason("FileTimestamp", "CA92.1")),
        lambda at: framework(at / "e.framework", privacy=reason("UserDefaults", "CA92.1")),
    ),
    "privacy-tracking": Planted(
        lambda at: framework(at / "e.framework", privacy={"NSPrivacyTracking": True}),
        lambda at: framework(
            at / "e.framework", privacy={"NSPrivacyTracking": True, "NSPrivacyTrackingDomains": ["x.org"]}
        ),
    ),
    "play-file-size": Planted(
        lambda at: bundle(at, files=(("model/portable/a.data", 1_500_000_001),)),
        lambda at: bundle(at, files=(("model/portable/a.data", 1_400_000_000),)),
    ),
    "play-size": Planted(
        lambda at: bundle(at, files=tuple((f"model/portable/{part}.data", 1_400_000_000) for part in range(3))),
        lambda at: bundle(at, files=(("model/portable/a.data", 1_400_000_000),)),
    ),
    "play-download": Planted(
        lambda at: apk(at / "a.apk", more={"assets/big.so": b"\x7fELF" + bytes(200_000_000)}),
        lambda at: apk(at / "a.apk"),
    ),
    "app-store-size": Planted(
        lambda at: bundle(at, system="ios", files=(("model/portable/a.data", 4_100_000_000),)),
        lambda at: bundle(at, system="linux", files=(("model/portable/a.data", 4_100_000_000),)),
    ),
    "ios-addressing": Planted(
        lambda at: bundle(at, system="ios", memory=mapping(2.1)),
        lambda at: bundle(at, system="ios", memory=mapping(2.1), platform={"entitlements": [ENTITLEMENT]}),
    ),
    "model-license-unknown": Planted(
        lambda at: bundle(at, source=license_of("unknown")), lambda at: bundle(at, source=license_of("MIT")), "warning"
    ),
    "model-license-forbids": Planted(
        lambda at: bundle(at, source=license_of("CC-BY-NC-4.0")), lambda at: bundle(at, source=license_of("CC-BY-4.0"))
    ),
    "model-license-terms": Planted(
        lambda at: bundle(at, source=license_of("llama3.2")),
        lambda at: bundle(at, source=license_of("Apache-2.0")),
        "warning",
    ),
    "model-license-text": Planted(lambda at: bundle(at, texts=()), lambda at: bundle(at)),
    "archive-names": Planted(
        lambda at: aar(at / "a.aar", more={"../../outside": b"x"}), lambda at: aar(at / "a.aar", more={"a..b/c": b"x"})
    ),
    "unreadable": Planted(
        lambda at: aar(at / "a.aar", libraries={**LIBRARIES, ARM: b"no library"}), lambda at: aar(at / "a.aar")
    ),
    "app-bundle": Planted(
        lambda at: folder(at, {"a.aab": made.zipped({"BundleConfig.pb": b""})}),
        lambda at: folder(at, {"a.txt": b"x"}),
        "note",
    ),
}
