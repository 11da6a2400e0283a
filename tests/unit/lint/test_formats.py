"""The command: its table, JSON, JUnit and SARIF, its exit codes; and the page of rules."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from edgekit import commands
from edgekit.lint import FORMATS, Lint, lint, render, rules
from tests.unit.lint import made
from tests.unit.lint.planted import PLANTED, manifest

pytestmark = pytest.mark.unit

Capture = pytest.CaptureFixture[str]
DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """An AAR with one error."""
    return PLANTED["android-16k-load"].bad(tmp_path)


def test_the_exit_code_is_9_with_an_error_and_0_without(bad: Path, tmp_path: Path, capsys: Capture) -> None:
    assert commands.main(["lint", str(bad)]) == 9
    out, err = capsys.readouterr()
    assert "android-16k-load" in out and "https://developer.android.com/guide/practices/page-sizes" in out
    assert "1 finding that would be refused" in err
    assert commands.main(["lint", str(made.aar(tmp_path / "good.aar"))]) == 0
    assert "0 errors, 0 warnings, 0 notes" in capsys.readouterr().out


def test_a_warning_fails_where_it_is_asked_to(tmp_path: Path) -> None:
    path = str(PLANTED["aar-permission"].bad(tmp_path))
    assert commands.main(["lint", path]) == 0
    assert commands.main(["lint", path, "--strict"]) == 9


def test_what_is_accepted_stays_as_a_note(bad: Path, capsys: Capture) -> None:
    assert commands.main(["lint", str(bad), "--accept", "android-16k-load", "--json"]) == 0
    (finding,) = json.loads(capsys.readouterr().out)["data"]["findings"]
    assert finding["severity"] == "note"
    assert commands.main(["lint", str(bad), "--accept", "android-16k-lod"]) == 2
    assert "did you mean 'android-16k-load'" in capsys.readouterr().err


def test_json_is_one_document_that_the_schema_s_model_reads(bad: Path, capsys: Capture) -> None:
    assert commands.main(["lint", str(bad), "--json"]) == 9
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "edgekit.lint/1" and document["error"]["code"] == "quality"
    result = Lint.model_validate(document["data"])
    assert result == lint(bad) and result.count("error") == 1
    assert result.findings[0].source == rules()["android-16k-load"].source


def test_junit_has_a_case_for_each_rule_and_fails_by_errors(bad: Path, tmp_path: Path) -> None:
    root = ElementTree.fromstring(render("junit", lint(bad)))
    (suite,) = root
    assert int(suite.get("tests", "0")) == len(suite.findall("testcase")) == len(lint(bad).rules)
    assert [case.get("name") for case in suite.findall("testcase") if case.find("failure") is not None] == [
        "android-16k-load"
    ]
    warned = ElementTree.fromstring(render("junit", lint(PLANTED["aar-permission"].bad(tmp_path))))
    assert not warned.findall(".//failure") and len(warned.findall(".//system-out")) == 1


def test_sarif_names_rules_places_and_levels(bad: Path) -> None:
    text = json.loads(render("sarif", lint(bad)))
    (run,) = text["runs"]
    (result,) = run["results"]
    assert text["version"] == "2.1.0" and result["level"] == "error"
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "android-16k-load"
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert place == "jni/arm64-v8a/libengine.so"
    assert all(rule["helpUri"].startswith("https://") for rule in run["tool"]["driver"]["rules"])


@pytest.mark.parametrize("form", FORMATS)
def test_a_format_follows_from_the_ending_of_the_file(form: str, bad: Path, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / f"found{FORMATS[form][0]}"
    assert commands.main(["lint", str(bad), "-o", str(path)]) == 9
    assert path.read_text(encoding="utf-8") == render(form, lint(bad))
    capsys.readouterr()
    assert commands.main(["lint", str(bad), "--format", form, "-o", "-"]) == 9
    assert capsys.readouterr().out.strip() == render(form, lint(bad)).strip()
    assert commands.main(["lint", str(bad), "-o", str(tmp_path / "found.txt")]) == 2


def test_what_a_package_says_is_shown_and_not_obeyed(tmp_path: Path, capsys: Capture) -> None:
    name = "org.\x1b[2J\u202eexe ::error::x"
    path = manifest(
        tmp_path,
        made.SDK.replace("\x1b", "")
        + f'<uses-permission xmlns:android="{made.ANDROID}" android:name="org.\u202eexe"/>',
    )
    assert name and commands.main(["lint", str(path)]) == 0
    assert "\u202e" not in capsys.readouterr().out
    for form in FORMATS:
        assert "\u202e" not in render(form, lint(path))


def test_the_page_is_that_of_the_rules() -> None:
    spec = importlib.util.spec_from_file_location("tables", DOCS / "tables.py")
    assert spec and spec.loader
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    text = tables.LINT.read_text(encoding="utf-8")
    assert tables.lint_page(text) == text, "a rule changed: run make docs, and read the page"
    assert sum(f"| `{name}` |" in text for name in rules()) == len(rules())
