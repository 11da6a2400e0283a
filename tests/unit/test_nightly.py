"""tests/nightly/RESULTS.md is read by people and trusted: its form, and no nightly that it does not account for."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from tests.nightly import record

pytestmark = pytest.mark.unit

MAKEFILE = (Path(__file__).parents[2] / "Makefile").read_text(encoding="utf-8")
HEAD = "| date | commit | command | seconds | result |\n|---|---|---|---|---|\n"
ROW = re.compile(
    r"\| (\d{4}-\d\d-\d\d) \| ([0-9a-f]{12}) \| `make (nightly-\w+)` \| ([1-9]\d*) \| (\d+ \w+.*|ended .*) \|"
)


def targets() -> set[str]:
    """What `make nightly` runs."""
    rule = re.search(r"^nightly: (.+)$", MAKEFILE, re.M)
    assert rule
    return set(rule[1].split())


def done_and_waiting(text: str) -> tuple[list[str], list[str]]:
    """The targets of the rows, and those that were not run yet.

    Raises:
        AssertionError: a line of the table is no row.
    """
    table, _, waiting = text.partition(record.WAITING)
    assert HEAD in table
    done = []
    for line in table.partition(HEAD)[2].splitlines():
        row = ROW.fullmatch(line)
        assert row, line
        assert date(2026, 1, 1) <= date.fromisoformat(row[1])
        done.append(row[3])
    return done, re.findall(r"^- `make (nightly-\w+)`$", waiting, re.M)


def test_every_nightly_has_its_row_or_waits_for_one() -> None:
    done, waiting = done_and_waiting(record.RESULTS.read_text(encoding="utf-8"))
    assert targets() and set(done) | set(waiting) == targets()
    assert not set(done) & set(waiting) and len(waiting) == len(set(waiting))


def test_every_nightly_writes_its_own_row() -> None:
    assert re.search(r"^RECORD := .* -m tests\.nightly\.record$", MAKEFILE, re.M)
    for target in targets():
        rule = re.search(rf"^{target}: env\n((?:\t.*\n)+)", MAKEFILE, re.M)
        assert rule and f"$(RECORD) {target} " in rule[1], target


@pytest.mark.parametrize(
    "row",
    [
        "| yesterday | 0123456789ab | `make nightly-fuzz` | 600 | 4 passed |",
        "| 2026-13-01 | 0123456789ab | `make nightly-fuzz` | 600 | 4 passed |",
        "| 2026-11-29 | HEAD | `make nightly-fuzz` | 600 | 4 passed |",
        "| 2026-11-29 | 0123456789ab | pytest | 600 | 4 passed |",
        "| 2026-11-29 | 0123456789ab | `make nightly-fuzz` | 0 | 4 passed |",
        "| 2026-11-29 | 0123456789ab | `make nightly-fuzz` | | 4 passed |",
        "| 2026-11-29 | 0123456789ab | `make nightly-fuzz` | 600 | fine |",
        "and so on",
    ],
)
def test_what_is_no_row_is_refused(row: str) -> None:
    with pytest.raises((AssertionError, ValueError)):
        done_and_waiting(f"{HEAD}{row}\n{record.WAITING}")


def test_a_row_is_added_and_the_target_waits_no_longer() -> None:
    text = f"# T\n\n{HEAD}{record.WAITING}\n- `make nightly-fuzz`\n- `make nightly-kill`\n"
    row = "| 2026-11-29 | 0123456789ab | `make nightly-fuzz` | 612 | 4 passed |"
    once = record.added(text, "nightly-fuzz", row)
    assert done_and_waiting(once) == (["nightly-fuzz"], ["nightly-kill"])
    both = record.added(record.added(once, "nightly-kill", row.replace("fuzz", "kill")), "nightly-fuzz", row)
    assert done_and_waiting(both) == (["nightly-fuzz", "nightly-kill", "nightly-fuzz"], [])


def test_pytest_s_last_line_is_the_result() -> None:
    text = "1 passed in 3s of mine\n====== 5 passed, 1 skipped in 3.00s ======\n"
    assert record.said(text.partition("\n")[2]) == "5 passed, 1 skipped"
    assert record.said("4 passed in 600.12s (0:10:00)\n") == "4 passed"
    assert record.said("collected 4 items\n") == ""


def test_pieces_of_a_run_and_the_figures_of_its_tests_are_summed() -> None:
    piece = "figure: hermes {part}/30\nfigure: phi 1/30\n== 1 failed, {passed} passed in 3.00s ==\n"
    text = piece.format(part=2, passed=4) + piece.format(part=3, passed=5)
    assert record.said(text) == "2 failed, 9 passed; hermes 5/60; phi 2/60"
    assert record.said("figure: hermes 2/30\n") == ""
