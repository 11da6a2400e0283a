"""Nothing falls between the stages of CI, and what they may take fits into an hour."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.stages import STAGES, stage_of

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
HOUR = 60


@pytest.mark.parametrize(
    ("marks", "stage"),
    [
        ({"unit", "parametrize"}, "unit"),
        ({"olive"}, "olive"),
        ({"olive", "tools"}, "tools"),
        ({"runtimes", "tools"}, "tools"),
        ({"runtimes", "olive"}, "olive"),
        ({"cross"}, "tools"),
        ({"tools", "device"}, "tools"),
        ({"nightly", "olive"}, "nightly"),
        ({"nightly", "tools"}, "nightly"),
    ],
)
def test_marks_give_one_stage(marks: set[str], stage: str) -> None:
    assert stage_of(marks) == stage


@pytest.mark.parametrize("marks", [set(), {"parametrize"}, {"unit", "olive"}, {"unit", "tools"}, {"unit", "nightly"}])
def test_no_stage_or_two_are_refused(marks: set[str]) -> None:
    with pytest.raises(ValueError, match="one of unit, runtimes"):
        stage_of(marks)


def test_every_mark_is_of_one_stage() -> None:
    marks = Counter(mark for of in STAGES.values() for mark in of)
    assert set(marks.values()) == {1}
    block = re.search(r"^markers = \[\n(.*?)^\]", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M | re.S)
    assert block and set(re.findall(r'^    "(\w+):', block[1], re.M)) == set(marks)


def commands() -> list[tuple[str, int, str]]:
    """(name, minutes, command) of each stage of .ci/run."""
    lines = re.findall(r"^stage (\S+) (\d+) (.+)$", CI, re.M)
    return [(name, int(minutes), command) for name, minutes, command in lines]


def test_ci_runs_every_stage_once() -> None:
    """`make test STAGES=x` is the stage x; a target of the Makefile has its stages in its lines."""
    run: Counter[str] = Counter()
    for _, _, command in commands():
        words = command.split()
        if words[:2] == ["make", "test"]:
            run.update(words[2].removeprefix("STAGES=").split(","))
        elif words[0] == "make":
            rule = re.search(rf"^{words[1]}:.*\n((?:\t.*\n)*)", MAKEFILE, re.M)
            assert rule, command
            run.update(re.findall(r"--stage (\w+)", rule[1]))
    assert run == Counter(set(STAGES) - {"nightly"})


def test_what_make_test_runs_is_what_ci_runs_in_parts() -> None:
    default = re.search(r"^STAGES \?= (.+)$", MAKEFILE, re.M)
    assert default
    parts = [words[2] for _, _, command in commands() if (words := command.split())[:2] == ["make", "test"]]
    assert sorted(parts) == sorted(f"STAGES={stage}" for stage in default[1].split())


def test_the_budgets_fit_into_an_hour() -> None:
    assert sum(minutes for _, minutes, _ in commands()) <= HOUR
