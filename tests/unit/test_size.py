"""Members keep to their budgets, and what all of them stand on stays small; CONTRIBUTING.md says the same figures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import size

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
WORDS = {"recipe": "recipes", "gate": "quality", "meter": "meters", "source": "sources", "channel": "delivery"}
WORDS |= {"family of lint rules": "lint", "face of a runtime": "wrappers/kotlin/src"}


def test_no_member_is_larger_than_its_budget() -> None:
    assert not size.too_large()


def test_the_common_part_is_under_its_limit() -> None:
    parts = size.common()
    assert all(parts.values()), parts
    assert sum(parts.values()) < size.MOST, parts


def test_a_blank_line_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "plan.py").write_text("x = 1\n\n\ny = 2\n")
    assert size.common(tmp_path)["target and plan"] == 4


def test_contributing_says_the_same_budgets() -> None:
    told = re.search(r"A member has at most: (.*?)\.", CONTRIBUTING, re.DOTALL)
    assert told is not None
    figures = re.findall(r"(?:an?|the) ([a-z ]+) (\d+)", " ".join(told[1].split()))
    assert {WORDS[word]: int(most) for word, most in figures} == {
        family: most for family, most in size.BUDGETS.items() if family in WORDS.values()
    }
    assert f"{size.MOST:,} lines" in CONTRIBUTING


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A gate of its most, 80 lines, and a recipe of one more than its 60."""
    for member, count in (("quality/exact.py", 80), ("recipes/long.py", 61), ("recipes/_shared.py", 900)):
        (tmp_path / member).parent.mkdir(exist_ok=True)
        (tmp_path / member).write_text("x = 1\n" * count)
    return tmp_path


def test_a_member_past_its_budget_is_found(package: Path) -> None:
    assert size.too_large(package, {}) == ["recipes/long.py has 61 lines, 60 are its most"]
    assert size.too_large(package, {"recipes/long.py": 61}) == []


def test_a_row_of_larger_members_goes_when_it_is_not_needed(package: Path) -> None:
    rows = {"recipes/long.py": 61, "quality/exact.py": 90, "meters/gone.py": 300}
    assert size.too_large(package, rows) == [
        "quality/exact.py is within its budget of 80: take away its row",
        "meters/gone.py is gone: take away its row",
    ]


def test_a_face_is_one_member(tmp_path: Path) -> None:
    sources = tmp_path / "wrappers/kotlin/src"
    sources.mkdir(parents=True)
    for name in ("Bundle.kt", "Run.kt", "jni.cpp"):  # the way through JNI is no Kotlin
        (sources / name).write_text("// a line\n" * 301)
    assert size.too_large(tmp_path, {}) == ["wrappers/kotlin/src has 602 lines, 600 are its most"]


PAGES = ["CONTRIBUTING.md", "tests/README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_files_that_there_are(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    paths = re.findall(r"(?<![\w/.])((?:edgekit|tests|targets|docs|scripts|benchmarks)/[\w./-]+\.\w+)", text)
    told = [path for path in paths if "NAME" not in path and path != "edgekit/a/b.py"]
    assert not [path for path in told if not (ROOT / path).exists()]
