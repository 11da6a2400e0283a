"""Every extra can be installed by the line that edgekit and its README give for it, from the repository, until an index
has edgekit."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from edgekit import extras

pytestmark = pytest.mark.nightly  # minutes of pip

ROOT = Path(__file__).parents[2]
PIP = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-build-isolation"]


@pytest.mark.parametrize("extra", sorted(extras.EXTRAS))
def test_an_extra_is_found_by_its_line(extra: str) -> None:
    words = [*PIP, "-c", "constraints.txt", f".[{extra}]"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    said = done.stdout.rpartition("Would install ")[2].replace("_", "-").lower()
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for requirement in declared[extra]:
        assert re.split(r"[<>=!~; ]", requirement)[0].replace("_", "-").lower() in said, requirement
