"""check/plan.json from anybody: what is taken, and what is refused with one line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edgekit import kinds
from edgekit.contract.check_plan import MAX_BYTES, default_plan, parse
from edgekit.data import jsonable
from edgekit.errors import BundleError
from edgekit.model import Kind

pytestmark = pytest.mark.unit


def raw(kind: Kind = "llm", **changes: Any) -> bytes:
    return json.dumps(jsonable(default_plan(kind)) | changes).encode()


def test_what_a_build_writes_is_taken() -> None:
    for kind in kinds.names():
        assert parse(raw(kind)) == default_plan(kind)
    assert parse(raw(newer={"a": 1})) == default_plan("llm"), "keys of a newer edgekit are ignored"


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "Expecting value"),
        (b"[" * 10**6, "nest deeper than 64"),
        (b" " * (MAX_BYTES + 1), "larger than 1 MiB"),
        (b"{}", "kind: Field required"),
        (raw(format="2.0"), "format"),
        (raw(goldens=jsonable(default_plan("tensor").goldens)), "one kind of model"),
        (raw(inputs="../inputs.npz"), "it names the file '../inputs.npz'"),
        (raw(inputs="/etc/passwd"), "it names the file"),
        (raw(inputs="check/../../x.npz"), "it names the file"),
        (raw(goldens={"file": "\x1b[2J", "rule": {"kind": "llm"}}), "it names the file"),
        (raw(bench={"kind": "llm", "prompts": [-1]}), r"bench.prompts.0 is -1"),
        (raw(bench={"kind": "llm", "new_tokens": 10**9}), "bench.new_tokens is 1000000000"),
        (raw(bench={"kind": "llm", "trials": {"max_s": 1e300}}), "bench.trials.max_s is 1e"),
        (raw(bench={"kind": "llm", "trials": {"max_s": float("inf")}}), "Infinity is not a JSON number"),
    ],
)
def test_what_is_no_plan_is_refused(content: bytes, word: str) -> None:
    with pytest.raises(BundleError) as error:
        parse(content)
    assert word in error.value.message and error.value.message.isprintable() and error.value.next
