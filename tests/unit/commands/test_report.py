"""report, baseline and compare as a user types them, and what check refuses before it begins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from edgekit.commands import main
from edgekit.contract.result import Process, Report
from tests.unit.report import samples
from tests.unit.report.samples import written

pytestmark = pytest.mark.unit

Capture = pytest.CaptureFixture[str]
FAST, SLOW = (80.0, 80.5, 79.5, 80.2, 79.8), (68.0, 68.5, 67.5, 68.2, 67.8)


def document(capsys: Capture, *words: str | Path, code: int = 0) -> dict[str, Any]:
    """Run a command with --json; its exit code and its one document."""
    assert main([*map(str, words), "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["exit_code"] == code
    return found


def result(path: Path, values: tuple[float, ...]) -> Path:
    """A result of so many processes."""
    processes = tuple(Process(values={"decode_tps": value}, counts={}, trials=1) for value in values)
    report: Report = samples.llm().model_copy(update={"processes": processes, "raw": {}})
    return written(path, report)


def test_results_become_one_page(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    one, two = written(tmp_path / "a.json", samples.llm()), written(tmp_path / "b.json", samples.phone())
    assert main(["report", str(one), str(two)]) == 0
    assert (tmp_path / "edgekit-report.html").read_text(encoding="utf-8").count("<article") == 2
    assert document(capsys, "report", one, two, "-o", tmp_path / "x.xml")["data"]["output"].endswith("x.xml")
    assert len(ElementTree.parse(tmp_path / "x.xml").getroot()) == 2
    assert main(["report", str(one), "--format", "markdown"]) == 0
    assert capsys.readouterr().out.startswith("### smollm2-linux-cpu")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["report", "none.json"], 2),
        (["report", "a.json", "-o", "page.pdf"], 2),
        (["report", "a.json", "-o", "nowhere/page.html"], 2),
        (["report"], 2),
        (["baseline", "compare", "a.json"], 2),
        (["baseline", "compare", "a.json", "--baseline", "a.json"], 2),
        (["compare", "none"], 2),
        (["compare", "none", "nothing"], 6),
        (["compare", "x", "y", "--plot", "p.gif"], 2),
    ],
)
def test_what_cannot_be_done_says_why_and_what_next(
    words: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "a.json", samples.host())
    error = document(capsys, *words, code=code)["error"]
    assert error["message"] and error["next"]


def test_a_baseline_is_saved_and_a_regression_found(tmp_path: Path, capsys: Capture) -> None:
    before, slow = result(tmp_path / "before.json", FAST), result(tmp_path / "slow.json", SLOW)
    file = tmp_path / "base.json"
    made = document(capsys, "baseline", "save", before, "-o", file)["data"]["baseline"]
    assert made["processes"] == 5 and made["values"]["decode_tps"] == list(FAST)
    compared = ("baseline", "compare", "--baseline", file)
    assert document(capsys, *compared, before)["data"]["changes"][0]["verdict"] == "pass"
    unsure = document(capsys, *compared, slow, code=11)
    assert "not surely" in unsure["error"]["message"] and unsure["data"]["changes"]
    failed = document(capsys, *compared, slow, slow, code=10)
    assert "15.0% worse" in failed["error"]["message"]
    assert document(capsys, *compared, slow, before, code=11)["data"]["changes"][0]["verdict"] == "inconclusive"


def test_a_comparison_is_shown_as_a_table(tmp_path: Path, capsys: Capture) -> None:
    before, slow = result(tmp_path / "before.json", FAST), result(tmp_path / "slow.json", SLOW)
    assert main(["baseline", "save", str(before), "-o", str(tmp_path / "b.json")]) == 0
    assert main(["baseline", "compare", str(slow), str(slow), "--baseline", str(tmp_path / "b.json")]) == 10
    shown = capsys.readouterr().out
    assert "+15.0%" in shown and "fail" in shown and "the rerun agrees" in shown


def test_a_baseline_needs_five_processes(tmp_path: Path, capsys: Capture) -> None:
    few = result(tmp_path / "few.json", FAST[:2])
    assert "--processes 5" in document(capsys, "baseline", "save", few, code=11)["error"]["next"]
