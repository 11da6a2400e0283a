"""The user's calibration text: what is read, what is left out, what is too little."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.errors import SourceError, UsageError
from edgekit.inputs import llm_texts

pytestmark = pytest.mark.unit
PAGE = "\n\n".join(f"Paragraph {at} says what no other says. " * 8 + "So it is." for at in range(60))


def test_a_folder_of_texts_becomes_documents(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.txt").write_text(PAGE)
    (tmp_path / "deep" / "b.md").write_text("# Title\r\n\r\nA last word.\r\n")
    (tmp_path / "c.bin").write_bytes(b"\xff\xfe")
    found = llm_texts.open_text(tmp_path)
    assert found.documents[-1] == "# Title\n\nA last word."
    assert max(map(len, found.documents)) <= llm_texts.DOCUMENT
    assert "\n\n".join(found.documents[:-1]) == PAGE
    out = tmp_path / "out"
    out.mkdir()
    found.write_feeds(out)
    assert [path.read_text() for path in sorted(out.iterdir())] == list(found.documents)


def test_what_the_gate_judges_by_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text(PAGE)
    judged = "\n\n".join(PAGE.split("\n\n")[:5])
    found = llm_texts.open_text(tmp_path / "mine.txt", [judged])
    assert found.dropped == 5
    assert not any("Paragraph 4 " in text for text in found.documents)
    assert found.sha256 != llm_texts.open_text(tmp_path / "mine.txt").sha256
    assert found.facts()["dropped"] == 5


def test_the_gates_own_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text(PAGE)
    with pytest.raises(UsageError, match="that the gate judges by"):
        llm_texts.open_text(tmp_path / "mine.txt", [PAGE])


def test_too_little_and_nothing_at_all(tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("A few words.")
    with pytest.raises(UsageError, match="has 12 characters, 8000 are needed"):
        llm_texts.open_text(tmp_path / "short.txt")
    with pytest.raises(UsageError, match="no calibration text"):
        llm_texts.open_text(tmp_path / "missing")


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\x00words" * 1000)
    with pytest.raises(SourceError, match=r"bad\.txt is not UTF-8"):
        llm_texts.open_text(tmp_path)
