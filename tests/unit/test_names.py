"""Names that say nothing may only become fewer: no file has more of them than it had, and a new file has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import names

pytestmark = pytest.mark.unit


def test_no_file_has_more_vague_names_than_it_had() -> None:
    more = names.problems(names.rows(), names.counts())
    assert not more, f"{more}: say what they are, or `python -m tests.names` where code moved from file to file"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("one = 1", 1),
        ("def f(given): return given.found", 3),
        ("f(given=1)", 1),
        ("from edgekit.bundle import aside", 1),
        ("import edgekit.killed as stopped", 0),
        ("async def found(): ...", 1),
        ("try: ...\nexcept E as found: ...", 1),
        ("match x:\n    case [one, *found]: ...", 2),
        ("{one for one in early}", 3),
        ("x = 'one'  # found", 0),
        ("one_more = found_by", 0),
    ],
)
def test_what_counts(text: str, count: int) -> None:
    assert names.vague(text) == count


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """a.py has two, b.py one."""
    (tmp_path / "edgekit").mkdir()
    (tmp_path / "edgekit" / "a.py").write_text("one = found = 0")
    (tmp_path / "edgekit" / "b.py").write_text("early = 0")
    return tmp_path


def test_a_number_falls_and_never_rises(tree: Path) -> None:
    allowed = names.counts(tree)
    assert allowed == {"edgekit/a.py": 2, "edgekit/b.py": 1}
    (tree / "edgekit" / "a.py").write_text("one = 0")
    lower = names.rewritten(allowed, names.counts(tree), tree)
    assert lower == {"edgekit/a.py": 1, "edgekit/b.py": 1}
    (tree / "edgekit" / "a.py").write_text("one = found = 0")
    assert names.problems(lower, names.counts(tree), tree) == ["edgekit/a.py: 2, 1 before"]
    with pytest.raises(ValueError, match=r"a\.py: 2, 1 before"):
        names.rewritten(lower, names.counts(tree), tree)


def test_a_new_file_has_none(tree: Path) -> None:
    allowed = names.counts(tree)
    (tree / "edgekit" / "c.py").write_text("given = 0")
    assert names.problems(allowed, names.counts(tree), tree) == ["edgekit/c.py: 1, and it is a new file"]
    with pytest.raises(ValueError, match="new file"):
        names.rewritten(allowed, names.counts(tree), tree)


def test_a_renamed_file_takes_its_number_along(tree: Path) -> None:
    allowed = names.counts(tree)
    (tree / "edgekit" / "deep").mkdir()
    (tree / "edgekit" / "a.py").rename(tree / "edgekit" / "deep" / "c.py")
    now = names.counts(tree)
    assert not names.problems(allowed, now, tree)
    assert names.rewritten(allowed, now, tree) == {"edgekit/b.py": 1, "edgekit/deep/c.py": 2}


def test_what_is_split_off_a_file_takes_its_share_when_the_numbers_are_written(tree: Path) -> None:
    allowed = names.counts(tree)
    (tree / "edgekit" / "a.py").write_text("one = 0")
    (tree / "edgekit" / "c.py").write_text("found = 0")
    now = names.counts(tree)
    assert names.problems(allowed, now, tree)  # until they are written: it might be new code
    assert names.rewritten(allowed, now, tree) == {"edgekit/a.py": 1, "edgekit/b.py": 1, "edgekit/c.py": 1}


def test_only_the_rows_of_the_named_files_are_written(tree: Path) -> None:
    allowed = names.counts(tree)
    (tree / "edgekit" / "a.py").write_text("one = 0")
    (tree / "edgekit" / "b.py").write_text("")
    assert names.written(["edgekit/b.py"], allowed, tree) == {"edgekit/a.py": 2}
    assert names.written([], allowed, tree) == {"edgekit/a.py": 1}


@pytest.mark.parametrize("word", ["--help", "edgekit/z.py", "edgekit"])
def test_a_word_that_is_no_file_writes_nothing(tree: Path, word: str) -> None:
    with pytest.raises(ValueError, match="no file of edgekit, "):
        names.written([word], names.counts(tree), tree)
    before = names.ROWS.read_bytes()
    assert names.main([word]) == 1
    assert names.ROWS.read_bytes() == before


def test_a_file_that_moved_is_named_with_where_it_was(tree: Path) -> None:
    allowed = names.counts(tree)
    (tree / "edgekit" / "a.py").rename(tree / "edgekit" / "c.py")
    assert names.written(["edgekit/a.py", "edgekit/c.py"], allowed, tree) == {"edgekit/b.py": 1, "edgekit/c.py": 2}
