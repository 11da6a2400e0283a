"""gitlab-ci-local (MIT): GitLab's pipelines read by its schema and run on this machine, from the npm package."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.peers.npm_package import Package

PACKAGE = Package("gitlab-ci-local@4.75.1", "fb1165eafff80c2a9eaf05a3e392f2558b5db7daa747b61d83450e18fb549bb8")
# What it takes of Node 22, for older ones.
OLDER = """
Set.prototype.union ??= function (other) { return new Set([...this, ...other]); };
Set.prototype.difference ??= function (other) { return new Set([...this].filter(each => !other.has(each))); };
Set.prototype.intersection ??= function (other) { return new Set([...this].filter(each => other.has(each))); };
"""


def run(project: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it in a project, which is made a repository; jobs run in shells, and nothing is sent anywhere.

    Raises:
        RuntimeError: npm cannot fetch it.
    """
    folder = PACKAGE.folder("package", ("dist/index.js", "package.json"))
    home = project.parent / "gitlab"
    home.mkdir(exist_ok=True)
    (home / "older.cjs").write_text(OLDER, encoding="utf-8")
    (home / "rsync").write_text(
        "#!/bin/sh\n", encoding="utf-8"
    )  # copies the project for containers, and there are none
    (home / "rsync").chmod(0o755)
    if not (project / ".git").exists():
        for line in (["init", "-q"], ["remote", "add", "origin", "git@gitlab.invalid:a/b.git"]):
            subprocess.run(["git", *line], cwd=project, check=True)
    environment = os.environ | {"HOME": str(home)} | variables
    environment["PATH"] = f"{home}{os.pathsep}{environment['PATH']}"
    options = ["--force-shell-executor", "--no-color", "--home", str(home)]
    return subprocess.run(
        ["node", "-r", home / "older.cjs", folder / "dist/index.js", *options, *words],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
