"""What README and docs have that takes minutes, as it stands there, on the model that README names.

MODEL is that model. BUNDLE and NEW are bundles of the smallest kind, as what is said of them is said of any: with five
processes each, the real model's took a quarter of an hour. The rest of the documents runs in
tests/engines/commands/test_documents_run.py, which refers to here.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engines.commands import test_documents_run as documents
from tests.engines.wrappers.small_bundles import seal_llm

pytestmark = pytest.mark.nightly
HERE = "tests/e2e/test_readme.py"
LONG = [(name, line) for name, rows in documents.ELSEWHERE.items() for line, _, who in rows if who == HERE]
MEASURED = {0, 10, 11}  # a budget that is kept, that is not, and what a busy machine says


def test_the_long_commands_of_the_documents_run(catalogue_bundle: Callable[[str], Path], tmp_path: Path) -> None:
    """In one folder, one after the other: a build is found in the cache, where the tests have made it."""
    model = "smollm2-135m-instruct"
    bundle = catalogue_bundle(model)
    small = seal_llm(tmp_path / "small")
    for name, of in ((documents.SMOLLM2, bundle), ("BUNDLE", small), ("NEW", small)):
        shutil.copytree(of, tmp_path / name)
    for document, line in LONG:
        typed = line.replace("MODEL", model).removeprefix("edgekit ")
        command = f"{shlex.quote(sys.executable)} -m edgekit {typed}"
        environment = {**os.environ, "GITHUB_STEP_SUMMARY": "page.md"}
        done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, env=environment)
        assert done.returncode in (MEASURED if " check " in line else {0}), f"{document}: {line}\n{done.stderr}"
    assert (tmp_path / "summary.md").read_text() and (tmp_path / "page.md").read_text()
    for name in ("BUNDLE.result.json", "NEW.result.json", f"{documents.SMOLLM2}.result.json", "build.json"):
        assert (tmp_path / name).stat().st_size, name
