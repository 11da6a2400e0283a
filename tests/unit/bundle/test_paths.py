"""Paths that are safe everywhere, and those that are not."""

from __future__ import annotations

import pytest

from edgekit.wrappers.python.paths import clash, why_unsafe

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "path",
    ["a", "model/portable/model.onnx", "-dash/with space.txt", "naïve/模型.onnx", "console.txt", "a.b.c"],
)
def test_a_plain_path_is_safe(path: str) -> None:
    assert why_unsafe(path) == ""


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("", "empty"),
        ("/etc/passwd", "absolute"),
        ("../x", "'..'"),
        ("a/../x", "'..'"),
        ("./x", "'.'"),
        ("a//x", "empty part"),
        ("a/", "empty part"),
        ("C:/x", "colon"),
        ("file.txt:stream", "colon"),
        ("a\\..\\x", "backslash"),
        ("a\0b", "character"),
        ("a\nb", "character"),
        ("a\x1b[2J", "character"),
        ("half\ud800", "character"),
        ("what?", "character"),
        ("model/NUL", "device"),
        ("com1.txt", "device"),
        ("aux .onnx", "device"),
        ("LPT\u00b9", "device"),
        ("a. /x", "dot or a space"),
        ("a./x", "dot or a space"),
        ("x" * 201, "longer"),
        ("/".join("x" * 100 for _ in range(5)), "longer"),
        ("/".join("x" * 17), "deeper"),
    ],
)
def test_an_unsafe_path_is_named_with_its_reason(path: str, word: str) -> None:
    assert word in why_unsafe(path)


@pytest.mark.parametrize(
    "paths",
    [
        ["a", "a"],
        ["a/x", "A/x"],
        ["A/x", "a/y"],
        ["a", "a/b"],
        ["a/b", "a"],
        ["caf\u00e9", "cafe\u0301"],
        ["stra\u00dfe", "STRASSE"],
    ],
)
def test_paths_that_some_system_confuses_clash(paths: list[str]) -> None:
    assert repr(paths[0]).strip("'").split("/")[0] in clash(paths)


def test_distinct_paths_do_not_clash() -> None:
    assert clash(["a/b", "a/c", "ab", "a.b"]) == ""
