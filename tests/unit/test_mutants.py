"""The rows of tests/mutants.toml fit the code: `make mutants` runs them, which takes minutes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests import mutants
from tests.mutants import Mutant

pytestmark = pytest.mark.unit
WHAT_DECIDES = {"plan", "measurement", "summary", "validity", "baseline", "_limits", "verify", "read", "seal", "cache"}


@pytest.mark.parametrize("mutant", mutants.rows(), ids=lambda row: f"{row.file}: {row.after.strip()[:40]}")
def test_a_row_fits_its_file_and_names_a_unit_test(mutant: Mutant) -> None:
    assert not mutant.problem(), f"{mutant.file}: {mutant.before!r}: {mutant.problem()}: write its row anew"


def test_thirty_mutants_of_everything_that_decides() -> None:
    rows = mutants.rows()
    assert len(rows) >= 30
    assert max(Counter((row.file, row.before) for row in rows).values()) == 1
    assert {Path(row.file).stem for row in rows} >= WHAT_DECIDES


def test_a_row_that_no_longer_fits_says_why(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\ny = 1\n")
    test = tmp_path / "tests" / "unit" / "deep" / "test_a.py"
    test.parent.mkdir(parents=True)
    test.write_text("def test_x() -> None: ...\n")
    row = {"file": "a.py", "before": "x = 1", "after": "x = 2", "why": "it matters", "test": "test_a.py::test_x"}
    good = Mutant(**row)
    assert not good.problem(tmp_path) and good.node(tmp_path) == "tests/unit/deep/test_a.py::test_x"
    for change, said in (
        ({"before": "= 1"}, "2 times"),
        ({"before": "z"}, "0 times"),
        ({"file": "b.py"}, "the file is gone"),
        ({"after": "x = 1"}, "changes nothing"),
        ({"why": ""}, "why it matters"),
        ({"test": "test_a.py::test_y"}, "tests/unit has no"),
    ):
        assert said in Mutant(**row | change).problem(tmp_path)
    with good.applied(tmp_path):
        assert (tmp_path / "a.py").read_text() == "x = 2\ny = 1\n"
    assert (tmp_path / "a.py").read_text() == "x = 1\ny = 1\n"


def test_a_row_follows_its_file_to_another_folder(tmp_path: Path) -> None:
    moved = tmp_path / "edgekit" / "new" / "a.py"
    moved.parent.mkdir(parents=True)
    moved.write_text("x = 1\n")
    row = Mutant("edgekit/old/a.py", "x = 1", "x = 2", "it matters", "test_a.py::test_x")
    assert row.path(tmp_path) == moved
    (tmp_path / "edgekit" / "a.py").write_text("y = 1\n")
    assert row.path(tmp_path) == moved
    (tmp_path / "edgekit" / "a.py").write_text("x = 1\n")
    assert row.path(tmp_path) is None  # which of the two?
