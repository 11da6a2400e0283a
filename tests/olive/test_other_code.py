"""The caches beside changed code, for real: a copy of the package in front of the path, changed between builds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit import files
from tests.olive.test_changed_while_built import net

pytestmark = pytest.mark.olive

DONE = "already done, taken from the cache"
UNCHANGED = "unchanged, nothing to do"


def append(package: Path, *names: str) -> None:
    for name in names:
        with (package / name).open("a", encoding="utf-8") as file:
            file.write("\nEXTRA = 1\n")


@pytest.mark.nightly
def test_exactly_what_depends_on_changed_code_is_made_again(tmp_path: Path) -> None:
    package = tmp_path / "front" / "edgekit"
    shutil.copytree(files.PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(files.PACKAGE.parent / "targets", tmp_path / "front" / "targets")
    model, out = net(tmp_path / "model"), tmp_path / "out"
    environment = {
        **os.environ,
        "PYTHONPATH": str(package.parent),
        "EDGEKIT_CACHE": str(tmp_path / "cache"),
        "CI": "true",
    }

    def build(*more: str) -> str:
        command = [sys.executable, "-m", "edgekit", "build", model, "--target", "linux-cpu", "--recipe", "int8_dynamic"]
        command += ["-o", out, *more]
        done = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, check=False, env=environment, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    assert DONE not in build()
    assert UNCHANGED in build()

    version = package / "__init__.py"
    version.write_text(version.read_text().replace('__version__ = "', '__version__ = "9'))
    append(
        package,
        "console.py",
        "errors.py",
        "jobs/gguf/__init__.py",
        "jobs/reference.py",
        "jobs/olive/passes/gptq.py",
        "check.py",
    )
    assert UNCHANGED in build()

    append(package, "quality/tensors.py")  # the gate's: the model is found, the bundle is made again
    said = build()
    assert DONE in said and UNCHANGED not in said

    append(package, "jobs/olive/qnn_pipeline.py")  # two imports deep in the Olive child
    said = build()
    assert DONE not in said and UNCHANGED not in said
    assert UNCHANGED in build()
