"""A CI system's view of a project: the matrix of its pairs, and the first workflow."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from edgekit import __version__, files, kinds
from edgekit.project.pairs import Pair
from edgekit.wrappers.python.manifest import abi

WORKFLOWS = {
    "github": Path(".github/workflows/edgekit.yml"),
    "gitlab": Path(".gitlab-ci.yml"),
    "azure": Path("azure-pipelines.yml"),
}
MOST = {"github": 256, "gitlab": 200, "azure": 256}  # jobs that each lets one matrix have
APPS = ("android", "ios", "windows")
# By CPU, GitHub's own machines with Windows, and what vcpkg calls its libraries there.
WINDOWS = {"x86_64": ("windows-latest", "x64-windows"), "aarch64": ("windows-11-arm", "arm64-windows")}
EXTRAS = {"qnn": "qnn", "webgpu": "webgpu"}  # by provider, what its compiler or software adapter comes with


def matrix(pairs: Sequence[Pair], home: Path, *, devices: bool = False) -> dict[str, Any]:
    """The jobs of a matrix: what each builds and where its bundle will lie, relative to the project's folder.

    Args:
        devices: those alone whose target has a device in edgekit.toml.
    """
    return {"include": [_job(pair, home) for pair in pairs if pair.device or not devices]}


def _job(pair: Pair, home: Path) -> dict[str, Any]:
    bundle = Path(os.path.relpath(pair.bundle, home)).as_posix()
    host = pair.target.os == "linux" and "x86_64" in pair.target.abi
    job = {"model": pair.model, "target": pair.target.name, "name": pair.bundle.name, "bundle": bundle, "host": host}
    return job | ({"device": pair.device} if pair.device else {})


def apps(pairs: Sequence[Pair], home: Path, platform: str) -> dict[str, Any]:
    """The jobs of a matrix of apps: each bundle for the platform, on Windows with each CPU's machine.

    "cpu" says that it needs no accelerator, which a machine of GitHub's has not.
    """
    jobs = []
    for pair in pairs:
        if pair.target.os == platform:
            job = _job(pair, home) | {"cpu": all(pair.target.settings(kind).ep == "cpu" for kind in kinds.names())}
            places = [WINDOWS[abi(name)] for name in pair.target.abi] if platform == "windows" else []
            jobs += [job | {"runner": runner, "triplet": triplet} for runner, triplet in places] or [job]
    return {"include": jobs}


def workflow(pairs: Sequence[Pair], *, locked: bool, origin: str = "", mobile: bool = False) -> str:
    """The text of GitHub's workflow, which asks `edgekit ci matrix` for its jobs.

    Args:
        locked: the project has an edgekit.lock, which every build is held to.
        origin: where pip finds edgekit, unless a variable of the repository says otherwise; by default this one's own.
        mobile: with jobs for the apps that embed the bundles.
    """
    text = files.resource("project/github.yml").read_text(encoding="utf-8")
    if mobile:
        text += files.resource("project/github_mobile.yml").read_text(encoding="utf-8")
    return _filled(text, pairs, locked, origin)


def pipeline(pairs: Sequence[Pair], home: Path, *, locked: bool, origin: str = "") -> str:
    """The text of GitLab's pipeline, in which the jobs stand; as for `workflow`."""
    text = files.resource("project/gitlab.yml").read_text(encoding="utf-8")
    device = files.resource("project/gitlab_device.yml").read_text(encoding="utf-8")
    return _filled(_with_jobs(text, device, pairs, home, _entries), pairs, locked, origin)


def azure(pairs: Sequence[Pair], home: Path, *, locked: bool, origin: str = "") -> str:
    """The text of Azure's pipeline, in which the jobs stand; as for `workflow`."""
    text = files.resource("project/azure.yml").read_text(encoding="utf-8")
    device = files.resource("project/azure_device.yml").read_text(encoding="utf-8")
    text = text.replace("@LOCKFILE@", " | edgekit.lock" if locked else "")
    return _filled(_with_jobs(text, device, pairs, home, _legs), pairs, locked, origin)


def _with_jobs(
    text: str, device: str, pairs: Sequence[Pair], home: Path, written: Callable[[Sequence[dict[str, Any]]], str]
) -> str:
    """A pipeline with its jobs, and with those for devices where there are some."""
    devices = matrix(pairs, home, devices=True)["include"]
    text = text.replace("@PAIRS@", written(matrix(pairs, home)["include"]))
    return text.replace("@DEVICES@\n", device.replace("@PAIRS@", written(devices)) if devices else "")


def _legs(jobs: Sequence[dict[str, Any]]) -> str:
    """The jobs as legs of Azure's matrix: a name of letters, digits and underscores, and variables, which are texts."""
    lines = []
    for at, job in enumerate(jobs, start=1):
        lines.append(f"      pair_{at}_{re.sub('[^A-Za-z0-9]', '_', job['name'])[:80]}:")
        lines += [f"        {key}: {json.dumps(word)}" for key, word in _words(job).items()]
    return "\n".join(lines)


def _words(job: dict[str, Any]) -> dict[str, str]:
    """A job as variables."""
    return {key.upper(): ("yes" if value else "no") if isinstance(value, bool) else value for key, value in job.items()}


def _entries(jobs: Sequence[dict[str, Any]]) -> str:
    """The jobs as entries of GitLab's matrix, whose values are texts; a dollar would begin a variable there."""
    lines = []
    for job in jobs:
        words = enumerate(_words(job).items())
        lines += [f"      {'- ' if at == 0 else '  '}{key}: {_quoted(word)}" for at, (key, word) in words]
    return "\n".join(lines)


def _quoted(word: str) -> str:
    return json.dumps(word.replace("$", "$$"))


def _filled(text: str, pairs: Sequence[Pair], locked: bool, origin: str) -> str:
    named = {word for pair in pairs for provider, word in EXTRAS.items() if provider in pair.target.name}
    text = text.replace("@FROM@", (f"@ {origin}" if origin else installed_from()).replace("'", "''"))
    text = text.replace("@EXTRAS@", "".join(f",{extra}" for extra in sorted(named)))
    return text.replace("@LOCKED@", "--locked " if locked else "")


def installed_from() -> str:
    """What follows edgekit-ai for pip to find this very one: a commit of a repository, or a version of an index."""
    try:
        told = json.loads(distribution("edgekit-ai").read_text("direct_url.json") or "{}")
    except PackageNotFoundError:  # a source tree on the path
        told = {}
    vcs = told.get("vcs_info")
    return f"@ {vcs['vcs']}+{told['url']}@{vcs['commit_id']}" if vcs else f"=={__version__}"
