"""Every rule finds the fault that is planted for it, and leaves the good package beside it alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit import registry
from edgekit.lint import lint, rules
from edgekit.lint._report import SEVERITIES
from tests.unit.lint import made
from tests.unit.lint.planted import ARM, GENAI, PLANTED, folder, library, windows

pytestmark = pytest.mark.unit


def test_every_rule_has_a_fault_and_there_are_enough() -> None:
    assert PLANTED.keys() == rules().keys() and len(PLANTED) >= 25


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found(name: str, tmp_path: Path) -> None:
    result = lint(PLANTED[name].bad(tmp_path))
    severities = {finding.severity for finding in result.findings if finding.rule == name}
    assert severities == {PLANTED[name].severity}


@pytest.mark.parametrize("name", PLANTED)
def test_a_good_package_is_asked_and_not_flagged(name: str, tmp_path: Path) -> None:
    result = lint(PLANTED[name].good(tmp_path))
    assert name in result.rules
    assert not [finding for finding in result.findings if finding.rule in (name, "unreadable")]


def test_packages_that_nothing_is_wrong_with(tmp_path: Path) -> None:
    made.aar(tmp_path / "a.aar")
    made.xcframework(tmp_path / "e.xcframework")
    made.app(tmp_path / "a.app")
    result = lint(tmp_path)
    assert [part.kind for part in result.artifacts] == ["app", "framework", "xcframework", "framework", "aar"]
    assert not result.findings
    assert not lint(made.apk(tmp_path / "a.apk")).findings


@pytest.mark.parametrize("name", sorted(rules()))
def test_a_rule_says_why_where_that_stands_and_what_to_do(name: str) -> None:
    rule = rules()[name]
    assert rule.severity in SEVERITIES and rule.kinds and rule.what and rule.next
    assert rule.source.startswith("https://") and " " not in rule.source


def test_a_name_is_given_once() -> None:
    families = [registry.member("edgekit.lint", name).RULES for name in registry.members("edgekit.lint")]
    names = [rule.name for family in families for rule in family]
    assert len(names) == len(set(names)) == len(rules())


def test_what_glibc_brings_is_unmet_on_android(tmp_path: Path) -> None:
    result = lint(library(tmp_path, needed=("libc.so.6", "libstdc++.so.6")))
    assert [finding.message.split()[2] for finding in result.findings] == ["libc.so.6,", "libstdc++.so.6,"]


def test_an_engine_of_another_package_is_a_note_in_an_aar_and_an_error_in_an_apk(tmp_path: Path) -> None:
    face = {ARM: made.elf(needed=("libonnxruntime.so",)), "jni/x86_64/libengine.so": made.elf("x86_64")}
    assert [finding.severity for finding in lint(made.aar(tmp_path / "a.aar", libraries=face)).findings] == ["note"]
    assert lint(made.apk(tmp_path / "a.apk", libraries=face)).count("error") == 1


def test_two_runtimes_in_two_packages_of_a_folder_are_a_warning(tmp_path: Path) -> None:
    made.aar(tmp_path / "ort.aar")
    made.aar(tmp_path / "genai.aar", libraries={GENAI: made.elf(defines="OrtGetApiBase")})
    assert {(finding.rule, finding.severity) for finding in lint(tmp_path).findings} == {
        ("engine-inside", "note"),
        ("engine-twice", "warning"),
    }


def test_the_runtime_in_genai_is_named_by_its_version(tmp_path: Path) -> None:
    inside = library(tmp_path, GENAI, defines="OrtGetApiBase", extra=b"\x001.26.0\x00\x003.53.1\x00")
    messages = [finding.message for finding in lint(inside).findings if finding.rule == "engine-inside"]
    assert messages == ["GenAI brings an ONNX Runtime 1.26.0 of its own for Android, EM_AARCH64"]


@pytest.mark.parametrize(("beside", "severity"), [(True, "warning"), (False, "error")])
def test_a_dll_does_not_look_beside_itself(beside: bool, severity: str, tmp_path: Path) -> None:
    result = lint(windows(tmp_path, "onnxruntime-genai.dll", dll=True, beside=beside))
    assert [(finding.rule, finding.severity) for finding in result.findings] == [("windows-dll-name", severity)]


def test_a_static_framework_may_be_declared_by_its_app(tmp_path: Path) -> None:
    code = made.universal(
        made.static(made.macho(uses=("_fstat", "_ours"), defines=("_x",)), made.macho(defines=("_ours",)))
    )
    result = lint(made.framework(tmp_path / "e.framework", code=code, privacy=None))
    assert [(finding.rule, finding.severity) for finding in result.findings] == [("privacy-manifest", "warning")]
    assert "FileTimestamp: fstat" in result.findings[0].message


def test_classes_of_telemetry_are_found_in_a_jar(tmp_path: Path) -> None:
    classes = {"com/microsoft/applications/events/HttpClient.class": made.java_class()}
    result = lint(made.aar(tmp_path / "a.aar", jar=classes))
    assert [finding.path for finding in result.findings] == ["classes.jar"]


def test_an_archive_in_an_archive_is_looked_into(tmp_path: Path) -> None:
    inner = made.aar(tmp_path / "a.aar", libraries={ARM: made.elf(align=4096)}).read_bytes()
    packed = made.zipped({"packages/a.aar": inner})
    result = lint(folder(tmp_path, {"release.zip": packed}))
    assert [finding.path for finding in result.findings] == [f"release.zip/packages/a.aar/{ARM}"]
