"""What is packed for an app, what is refused where a kit lacks, and that a refusal writes nothing."""

from __future__ import annotations

import json
import plistlib
import struct
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from edgekit import files, packs
from edgekit.commands import main
from edgekit.errors import ToolMissing, UsageError
from edgekit.lint import apple_privacy, lint
from edgekit.packs import Asked, Made, _frameworks, _maven, android, windows
from tests.unit.bundle.tiny_bundle import contents
from tests.unit.lint import made

pytestmark = pytest.mark.unit

NDK = ("ANDROID_NDK_HOME", "ANDROID_NDK_ROOT", "ANDROID_NDK")


@pytest.fixture
def no_ndk(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NDK:
        monkeypatch.delenv(name, raising=False)


def asked_in_json(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = main(["runtime", "pack", *words, "--json", "-q"])
    return code, json.loads(capsys.readouterr().out)


def test_android_without_an_ndk_is_exit_7_and_nothing_is_written(
    tmp_path: Path, no_ndk: None, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = asked_in_json(capsys, "--for", "android", "-o", str(tmp_path / "deep/out"))
    assert code == 7 and told["error"]["code"] == "tool-missing" and "NDK" in told["error"]["message"]
    assert "ANDROID_NDK_HOME=" in told["error"]["next"] and "docs/embedding.md" in told["error"]["next"]
    assert list(tmp_path.iterdir()) == []


def test_windows_without_its_dll_is_exit_7_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = asked_in_json(capsys, "--for", "windows", "-o", str(tmp_path / "out"))
    assert code == 7 and "cmake --build build" in told["error"]["next"] and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--for", "androd"), "did you mean 'android'"),
        (("--for", "ios"), "needs the engines' frameworks"),
        (("--for", "ios", "--engines", "."), "holds no .xcframework"),
        (("--for", "linux", "--abi", "riscv64"), "not built for riscv64"),
        (("--for", "linux", "--engines", "."), "those that edgekit runs with"),
        (("--for", "windows", "--abi", "riscv64"), "not packed for riscv64"),
    ],
)
def test_what_is_asked_wrongly_is_exit_2_with_what_to_ask(
    words: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code, told = asked_in_json(capsys, *words, "-o", "out")
    assert code == 2 and said in told["error"]["message"] and told["error"]["next"]
    assert list(tmp_path.iterdir()) == []


def packing(monkeypatch: pytest.MonkeyPatch, fails: bool = False) -> None:
    """linux's own file, but for what it compiles."""
    from edgekit.packs import linux

    def write(room: Path, asked: Asked) -> Made:
        (room / "lib").mkdir()
        (room / "lib/a").write_text("new")
        if fails:
            raise ToolMissing("gone", next="fetch it")
        return Made(("a line",))

    monkeypatch.setattr(linux, "ready", lambda asked: None)
    monkeypatch.setattr(linux, "write", write)


def test_an_earlier_pack_is_replaced_whole_and_nothing_else_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packing(monkeypatch)
    made_there = packs.make("linux", tmp_path / "out", Asked())
    assert made_there.use == ("a line",) and (tmp_path / "out/LICENSES/Apache-2.0.txt").is_file()
    (tmp_path / "out/old").write_text("of the earlier one")
    packs.make("linux", tmp_path / "out", Asked())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["LICENSES", "lib", "pack.json"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter").write_text("mine")
    for other in (tmp_path / "mine", tmp_path / "mine/letter"):
        with pytest.raises(UsageError, match="is no pack for linux"):
            packs.make("linux", other, Asked())
    (tmp_path / "out/pack.json").write_text('{"platform": "jvm"}')
    with pytest.raises(UsageError, match="is no pack for linux"):
        packs.make("linux", tmp_path / "out", Asked())


def test_what_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packing(monkeypatch)
    packs.make("linux", tmp_path / "out", Asked())
    (tmp_path / "out/lib/a").write_text("old")
    packing(monkeypatch, fails=True)
    with pytest.raises(ToolMissing):
        packs.make("linux", tmp_path / "out", Asked())
    assert (tmp_path / "out/lib/a").read_text() == "old" and [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_aar_has_the_engines_libraries_and_nothing_else_of_their_aar(tmp_path: Path) -> None:
    library = made.elf("arm64-v8a", align=0x4000)
    vendor = {"AndroidManifest.xml": b"INTERNET", "classes.jar": b"ai/onnxruntime/genai/Model", "R.txt": b""}
    vendor |= {f"jni/{abi}/libonnxruntime-genai.so": library for abi in ("arm64-v8a", "x86_64")}
    _maven.archive(tmp_path / "vendor.aar", vendor)
    taken = android._engines(Asked(engines=tmp_path / "vendor.aar"))
    assert taken == {"jni/arm64-v8a/libonnxruntime-genai.so": library}
    ours = {"jni/arm64-v8a/libedgekit.so": library}
    _maven.archive(tmp_path / "classes.jar", {"META-INF/MANIFEST.MF": b"Manifest-Version: 1.0\r\n\r\n"})
    entries = android.contents((tmp_path / "classes.jar").read_bytes(), ours, taken)
    assert not any(b"ai/onnxruntime" in raw or b"INTERNET" in raw or b"<provider" in raw for raw in entries.values())
    _maven.archive(tmp_path / "edgekit.aar", entries)
    assert [finding for finding in lint(tmp_path / "edgekit.aar").findings if finding.severity == "error"] == []
    with pytest.raises(UsageError, match="no library for x86_64"):
        _maven.archive(tmp_path / "less.aar", {name: raw for name, raw in vendor.items() if "x86" not in name})
        android._engines(Asked(abis=("x86_64",), engines=tmp_path / "less.aar"))


def test_no_source_of_a_face_names_a_class_of_the_engines() -> None:
    """So no class file and no library that is compiled of them can."""
    for folder in (files.resource("wrappers/kotlin/src"), files.resource("wrappers/cpp/src")):
        for path in folder.iterdir():
            text = path.read_text(encoding="utf-8")
            assert "ai.onnxruntime" not in text and "ai/onnxruntime" not in text, path.name


def test_a_repository_of_maven_has_pom_module_and_digests(tmp_path: Path) -> None:
    artifact = _maven.Artifact("edgekit-jvm", "jar", [("org.jetbrains.kotlin", "kotlin-stdlib", "2.4.20")])
    for turn in ("one", "two"):
        _maven.archive(tmp_path / turn / artifact.file, {"b": b"2", "META-INF/MANIFEST.MF": b"1"})
        _maven.publish(tmp_path / turn, artifact, {"org.gradle.libraryelements": "jar"})
    first, second = (contents(tmp_path / turn) for turn in ("one", "two"))
    assert first == second and len(first) == 6
    file = tmp_path / "one" / artifact.file
    with ZipFile(file) as jar:
        assert jar.namelist() == ["META-INF/MANIFEST.MF", "b"]
    module = json.loads(file.with_suffix(".module").read_text())
    for variant in module["variants"]:
        assert variant["files"][0]["sha256"] == (file.parent / f"{file.name}.sha256").read_text()
        assert variant["dependencies"][0]["version"] == {"requires": "2.4.20"}
    assert "<artifactId>kotlin-stdlib</artifactId><version>2.4.20</version>" in file.with_suffix(".pom").read_text()


def pe(machine: int) -> bytes:
    return b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40) + b"PE\0\0" + struct.pack("<H", machine) + bytes(64)


def test_a_nuget_package_has_the_sources_and_the_libraries_that_are_for_one_machine(tmp_path: Path) -> None:
    dlls = tmp_path / "dlls"
    dlls.mkdir()
    for name in ("edgekit.dll", "onnxruntime.dll", "notes.txt"):
        (dlls / name).write_bytes(pe(0x8664))
    packs.make("windows", tmp_path / "out", Asked(engines=dlls))
    with ZipFile(next((tmp_path / "out").glob("*.nupkg"))) as package:
        names = package.namelist()
        assert "<id>Edgekit</id>" in package.read("Edgekit.nuspec").decode()
    assert [name for name in names if name.endswith(".dll")] == [
        f"runtimes/win-x64/native/{name}" for name in ("edgekit.dll", "onnxruntime.dll")
    ]
    assert "src/Bundle.cs" in names and "build/Edgekit.targets" in names
    for raw, said in ((pe(0xAA64), "onnxruntime.dll is for aarch64"), (b"no DLL", "for nothing")):
        (dlls / "onnxruntime.dll").write_bytes(raw)
        with pytest.raises(UsageError, match=said):
            windows.ready(Asked(engines=dlls))


def framework(folder: Path, plist: dict[str, Any] | None, code: bytes) -> Path:
    home = folder / "engine.framework"
    home.mkdir(parents=True)
    (home / "engine").write_bytes(code)
    if plist is not None:
        (home / "Info.plist").write_bytes(plistlib.dumps(plist))
    return home


def test_a_framework_is_completed_from_its_own_code(tmp_path: Path) -> None:
    """As npm's GenAI 0.15.2 lies: an identifier, an executable, and empty versions."""
    bare = {"CFBundleExecutable": "engine", "CFBundleIdentifier": "com.example.engine", "CFBundleVersion": ""}
    home = framework(tmp_path / "ios-arm64", bare, made.macho(min_os=(15, 1)))
    with pytest.raises(UsageError, match="does not say its version"):
        list(_frameworks.complete(home, None))
    (note,) = _frameworks.complete(home, "0.15.2")
    assert "MinimumOSVersion 15.1" in note and note.startswith("ios-arm64/engine.framework")
    plist = plistlib.loads((home / "Info.plist").read_bytes())
    assert plist == bare | {
        "MinimumOSVersion": "15.1",
        "CFBundleSupportedPlatforms": ["iPhoneOS"],
        "CFBundleVersion": "0.15.2",
        "CFBundleShortVersionString": "0.15.2",
    }
    rules = {finding.rule for finding in lint(home).findings}
    assert not rules & {"framework-keys", "framework-platforms", "framework-min-os"}
    assert list(_frameworks.complete(home, None)) == []


def test_a_simulators_slice_says_so_and_another_systems_is_left_alone(tmp_path: Path) -> None:
    home = framework(tmp_path / "simulator", {"CFBundleIdentifier": "x"}, made.macho(platform=7, min_os=(16, 0)))
    list(_frameworks.complete(home, "1.0"))
    plist = plistlib.loads((home / "Info.plist").read_bytes())
    assert plist["CFBundleSupportedPlatforms"] == ["iPhoneSimulator"] and plist["MinimumOSVersion"] == "16.0"
    other = framework(tmp_path / "mac", {"CFBundleIdentifier": "x"}, made.macho(platform=1))
    assert list(_frameworks.complete(other, "1.0")) == [] and b"iPhone" not in (other / "Info.plist").read_bytes()
    catalyst = tmp_path / "catalyst/engine.framework"  # as npm's GenAI 0.15.2 has it
    (catalyst / "Versions/A").mkdir(parents=True)
    (catalyst / "Versions/A/engine").write_bytes(made.macho(platform=6))
    assert list(_frameworks.complete(catalyst, None)) == []


def test_a_swift_package_has_the_face_the_core_and_the_frameworks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "include/nlohmann").mkdir(parents=True)
    (tmp_path / "include/nlohmann/json.hpp").write_text("// headers alone")
    monkeypatch.setenv("CPATH", str(tmp_path / "include"))
    vendor = tmp_path / "vendor/engine.xcframework"
    framework(vendor / "ios-arm64", {"CFBundleIdentifier": "com.example.engine"}, made.macho())
    packs.make("ios", tmp_path / "out", Asked(engines=tmp_path / "vendor", version="0.15.2"))
    text = (tmp_path / "out/Package.swift").read_text()
    assert '.binaryTarget(name: "engine", path: "Frameworks/engine.xcframework"),' in text
    assert 'dependencies: ["CEdgekit", "engine"],' in text and 'resources: [.copy("PrivacyInfo.xcprivacy")]' in text
    for inside in (
        "c/core/edgekit.cpp",
        "c/json/nlohmann/json.hpp",
        "src/ModelBundle.swift",
        "c/include/module.modulemap",
    ):
        assert (tmp_path / "out" / inside).is_file() and not (tmp_path / "out" / inside).parent.is_symlink(), inside
    assert {path.name for path in (files.resource("wrappers/cpp/src")).iterdir()} == {
        path.name for path in (tmp_path / "out/c/core").iterdir()
    }
    declared = plistlib.loads((tmp_path / "out/PrivacyInfo.xcprivacy").read_bytes())["NSPrivacyAccessedAPITypes"]
    for entry in declared:
        category = entry["NSPrivacyAccessedAPIType"].removeprefix("NSPrivacyAccessedAPICategory")
        assert set(entry["NSPrivacyAccessedAPITypeReasons"]) <= apple_privacy.CATEGORIES[category][1]
    completed = tmp_path / "out/Frameworks/engine.xcframework/ios-arm64/engine.framework/Info.plist"
    plist = plistlib.loads(completed.read_bytes())
    assert plist["MinimumOSVersion"] == "15.1"


@pytest.mark.parametrize("raw", [b"", b"<plist>", b"bplist00" + bytes(40)])
def test_a_damaged_framework_is_named(tmp_path: Path, raw: bytes) -> None:
    home = framework(tmp_path / "a", None, made.macho())
    (home / "Info.plist").write_bytes(raw)
    with pytest.raises(UsageError, match=r"Info.plist (is no property list|holds no keys)"):
        list(_frameworks.complete(home, "1.0"))
    home = framework(tmp_path / "b", {"CFBundleExecutable": "engine"}, b"no code")
    with pytest.raises(UsageError, match="cannot be read"):
        list(_frameworks.complete(home, "1.0"))
