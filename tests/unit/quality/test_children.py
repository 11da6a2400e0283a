"""A verdict depends on the code of every process that a gate starts: the gates of its kind name them all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgekit import kinds, quality

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("kind", kinds.names())
def test_every_process_that_a_gate_starts_is_named(kind: str) -> None:
    known = quality.children(kind)
    started = set()
    for gate in quality.gates(kind).values():
        source = Path(str(gate.__file__)).read_text(encoding="utf-8")  # type: ignore[attr-defined]  # a module
        started |= {f"edgekit.quality.{child}" for child in re.findall(r'"(_child_\w+)"', source)}
        started |= {"edgekit.jobs.reference"} if "_reference." in source else set()
    assert started and started <= set(known)


def test_a_kind_without_gates_has_none() -> None:
    assert quality.children("none") == ()
