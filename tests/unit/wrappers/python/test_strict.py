"""JSON that two parsers would read in two ways is read in none."""

from __future__ import annotations

import pytest

from edgekit.wrappers.python import strict

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"a": 1, "a": 2}', "stands twice"),
        (b'{"a": {"b": 1, "\\u0062": 2}}', "stands twice"),
        (b'{"a": 1, "A": 2}', "does not look at case"),
        (b'[{"model": {"Search": 1, "search": 2}}]', "does not look at case"),
        ('{"straße": 1, "STRASSE": 2}'.encode(), "does not look at case"),
        (b'{"a": "x\\u0000y"}', "zero byte"),
        (b'{"a": "\\ud800"}', "half a surrogate pair"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": 1e999}', "larger than a double"),
        (b"[" * 65 + b"]" * 65, "nest deeper"),
        (b'\xef\xbb\xbf{"a": 1}', "byte order mark"),
        ('{"a": 1}'.encode("utf-16"), "utf-8"),
        (b'{"a": 1} {"a": 2}', "Extra data"),
    ],
)
def test_what_parsers_would_differ_about_is_refused(raw: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        strict.loads(raw, names=True)


def test_a_vocabulary_may_have_words_that_differ_by_case_alone() -> None:
    """The tokens of a tokenizer.json are keys: "The" and "the" are two of them, and so is a zero byte."""
    raw = b'{"The": 1, "the": 2, "\\u0000": 3}'
    assert strict.loads(raw) == {"The": 1, "the": 2, "\0": 3}
    with pytest.raises(ValueError, match="stands twice"):
        strict.loads(b'{"The": 1, "The": 2}')


def test_the_size_is_asked_for_before_anything_is_read() -> None:
    assert strict.loads(b"[1234]", max_bytes=6) == [1234]
    with pytest.raises(ValueError, match="larger than"):
        strict.loads(b"[12345]", max_bytes=6)
