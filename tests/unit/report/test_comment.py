"""The comment on a pull request: worst rows first, never longer than GitHub takes, and harmless."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgekit import commands
from edgekit.data import jsonable, pretty
from edgekit.project import against
from edgekit.report import comment
from edgekit.report.comment import Entry
from edgekit.verdicts import baseline
from tests.unit.report.test_formats import EVIL
from tests.unit.verdicts.test_baseline import STEADY, changed, result

pytestmark = pytest.mark.unit

SLOWER = tuple(value * 0.8 for value in STEADY)


def named(name: str, *values: float) -> Entry:
    report = result(*values)
    report = report.model_copy(update={"bundle": changed(report.bundle, {"name": name})})
    known = baseline.save([result(*STEADY).model_copy(update={"bundle": report.bundle})])
    return against.entries([report], [known])[0]


def test_the_worst_row_is_the_first() -> None:
    faster = tuple(value * 1.2 for value in STEADY)
    text = comment.render([named("calm", *STEADY), named("fast", *faster), named("slow", *SLOWER)])
    rows = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line][1:]
    assert [next(name for name in ("slow", "calm", "fast") if name in row) for row in rows] == ["slow", "calm", "fast"]
    assert text.startswith(comment.MARK) and "1 perhaps worse, 1 as before, 1 better" in text
    assert "+20.0%" in rows[0] and "-20.0%" in rows[2]


def test_what_has_no_baseline_is_said() -> None:
    alone = against.entries([result(*STEADY)], [])
    text = comment.render(alone)
    assert "no baseline was saved" in text and "nothing to compare" in text
    phone = result(*STEADY)
    other = phone.model_copy(update={"device": changed(phone.device, {"cpu": "another"})})
    (entry,) = against.entries([phone], [baseline.save([other])])
    assert "cannot be compared" in entry.why and entry.why.split(":")[0] in comment.render([entry])


@pytest.mark.parametrize("count", [0, 1, 400, 3000])
def test_it_is_never_too_long_and_leaves_out_the_least(count: int) -> None:
    slow, calm = named("slow", *SLOWER), named("calm" * 20, *STEADY)
    text = comment.render([*[calm] * count, slow])
    assert len(text) < comment.MOST and "slow" in text
    rows = text.count("| +0.0% |")
    assert rows == count or f"\n{count - rows} more" in text
    notes = comment.render([Entry(slow.report, why="x" * 300)] * count)
    assert len(notes) < comment.MOST


def test_a_strangers_name_is_harmless() -> None:
    text = comment.render([named(EVIL, *STEADY)])
    assert not re.search(r"(?<!\\)<(script|img)", text) and "@everyone" not in text
    assert all(line.count(" | ") == len(comment.COLUMNS) - 1 for line in text.splitlines() if line.startswith("| "))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now, folder = tmp_path / "now.result.json", tmp_path / "main"
    (folder / "net").mkdir(parents=True)
    now.write_text(pretty(jsonable(result(*SLOWER))), encoding="utf-8")
    words = ["ci", "comment", str(now), "--baselines"]
    assert commands.main([*words, str(tmp_path / "none")]) == 0
    assert "no baseline was saved" in capsys.readouterr().out
    saved = baseline.save([result(*STEADY)])
    (folder / "net" / "net.baseline.json").write_text(pretty(jsonable(saved)), encoding="utf-8")
    assert commands.main([*words, str(folder), "-o", str(tmp_path / "comment.md")]) == 0
    assert "1 perhaps worse" in (tmp_path / "comment.md").read_text(encoding="utf-8")
    (folder / "net" / "other.baseline.json").write_text("{}", encoding="utf-8")
    assert commands.main([*words, str(folder)]) == 2
    assert commands.main([*words, str(now)]) == 2
