"""A wrong answer beside NaN, infinities and huge values ends a check with exit code 9, an equal one does not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.engines.wrappers.small_bundles import seal_cases
from tests.unit.wrappers.python import golden_cases

pytestmark = pytest.mark.runtimes


def check(bundle: Path, *words: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "edgekit", "check", str(bundle), "--device", "local", "--json"]
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=False, cwd=bundle.parent)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize(
    "name",
    [
        "float32: NaN moved",
        "float32: infinity's sign",
        "float16: one value off beside infinity",
        "float64: beyond 1e154, turned",
        "int64: beyond 2^53, one more",
    ],
)
def test_wrong(tmp_path: Path, name: str) -> None:
    code, document = check(seal_cases(tmp_path, [name]))
    assert code == 9
    assert golden_cases.CASES[name].wrong in json.dumps(document)


def test_right(tmp_path: Path) -> None:
    wrong = golden_cases.wrong_names()
    code, document = check(seal_cases(tmp_path, [name for name in golden_cases.CASES if name not in wrong]))
    assert code == 0, document["error"]


@pytest.mark.parametrize(("name", "code"), [("float32: NaN moved", 9), ("the first that agrees", 0)])
def test_goldens_alone(tmp_path: Path, name: str, code: int) -> None:
    """For CI without a device: the answers decide, nothing is timed."""
    names = [name] if code else [right for right in golden_cases.CASES if right not in golden_cases.wrong_names()][:1]
    ended, document = check(seal_cases(tmp_path, names), "--goldens-only")
    assert ended == code
    assert document["data"]["report"]["measurements"] == [] and document["data"]["report"]["verdicts"] == []
