"""Exit codes are a contract: each class has its own, the documentation says the same, several become one."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit import errors
from edgekit.errors import BuildError, EdgekitError, UsageError

pytestmark = pytest.mark.unit

DOC = Path(__file__).parents[2] / "docs" / "exit-codes.md"
CLASSES: list[type[EdgekitError]] = [EdgekitError, *EdgekitError.__subclasses__()]


def test_every_class_has_a_code_and_an_exit_code_of_its_own() -> None:
    assert len({cls.code for cls in CLASSES}) == len(CLASSES)
    assert len({cls.exit_code for cls in CLASSES}) == len(CLASSES)
    assert {cls.exit_code for cls in CLASSES} == set(errors.PRECEDENCE) - {0}


def test_the_documented_table_is_the_one_in_force() -> None:
    rows = re.findall(r"^\| (\d+) \| `([a-z-]+)` \|", DOC.read_text(encoding="utf-8"), re.MULTILINE)
    assert {(int(code), word) for code, word in rows} == {(cls.exit_code, cls.code) for cls in CLASSES}
    order = re.search(r"the first of ([\d, ]+)", DOC.read_text(encoding="utf-8"))
    assert order is not None
    assert tuple(int(code) for code in order[1].split(",")) == errors.PRECEDENCE[:-1]


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_crosses_a_process_boundary_by_its_code(cls: type[EdgekitError]) -> None:
    copy = errors.from_code(cls.code, "what", "then")
    assert (type(copy), copy.message, copy.next) == (cls, "what", "then")


def test_a_code_of_a_later_edgekit_is_an_internal_error() -> None:
    assert type(errors.from_code("never-heard-of", "what")) is EdgekitError


@given(st.lists(st.sampled_from(errors.PRECEDENCE)))
def test_several_exit_codes_become_the_first_in_precedence(codes: list[int]) -> None:
    chosen = errors.first(codes)
    earlier = errors.PRECEDENCE[: errors.PRECEDENCE.index(chosen)]
    assert chosen in (codes or [0])
    assert not set(earlier) & set(codes)


@pytest.mark.parametrize(
    ("number", "cls", "word"),
    [
        (errno.ENOSPC, BuildError, "disk is full"),
        (errno.EDQUOT, BuildError, "disk is full"),
        (errno.EACCES, UsageError, "no permission"),
        (errno.EROFS, UsageError, "no permission"),
        (errno.EIO, BuildError, "Input/output"),
    ],
)
def test_an_os_error_names_its_cause_and_file(number: int, cls: type[EdgekitError], word: str) -> None:
    found = errors.from_oserror(OSError(number, os.strerror(number), "/some/file"), "writing the bundle")
    assert type(found) is cls
    assert word in found.message and "writing the bundle" in found.message
    assert "/some/file" in found.message or number == errno.EIO


def test_what_a_child_wrote_down_is_raised_whatever_its_form() -> None:
    told = errors.from_child({"code": "bundle", "message": "it is damaged", "next": "fetch it"})
    assert (type(told), told.message, told.next) == (errors.BundleError, "it is damaged", "fetch it")
    for odd in ("no table", None, ["x"], {"message": "alone"}):
        assert errors.from_child(odd).message
