"""Build the project in CI: the matrix of its pairs, and the first workflow."""

from __future__ import annotations

import os
from pathlib import Path

import click

from edgekit import console
from edgekit.commands._places import PLACE
from edgekit.errors import UsageError


@click.group()
def command() -> None:
    """Build the project of edgekit.toml in CI, a job for each model and target."""


@command.command()
@click.option("--devices", is_flag=True, help="Only the pairs whose target has a device in edgekit.toml.")
@click.option("--apps", help="Only the pairs for android, ios or windows, as the jobs of --mobile take them.")
@click.option("--compact", is_flag=True, help="Print nothing but the matrix, on one line, as a workflow takes it.")
def matrix(devices: bool, apps: str | None, compact: bool) -> None:
    """List the pairs as the jobs of a matrix: model, target, name, the bundle's place, whether this is its system."""
    import json

    from edgekit.commands import _project
    from edgekit.project import ci

    _, home, pairs = _project.opened()
    if apps is not None and (devices or apps not in ci.APPS):
        raise UsageError(f"no apps for {apps!r}", next=f"--apps: one of {', '.join(ci.APPS)}, without --devices")
    jobs = ci.apps(pairs, home, apps) if apps else ci.matrix(pairs, home, devices=devices)
    _refuse_many(len(jobs["include"]), ci.MOST["github"])
    if console.json_mode():
        console.document("edgekit.ci.matrix/1", jobs)
    elif compact:
        console.out(json.dumps(jobs, separators=(",", ":")))
    else:
        columns = ("model", "target", "bundle", "runs here", "device")
        rows = [
            (job["model"], job["target"], job["bundle"], "yes" if job["host"] else "", job.get("device", ""))
            for job in jobs["include"]
        ]
        console.table("", columns, rows)


def _refuse_many(jobs: int, most: int) -> None:
    if jobs > most:
        raise UsageError(f"{jobs} jobs are more than the {most} of one matrix", next="split the project in two")


@command.command()
@click.argument("system", type=click.Choice(["github", "gitlab", "azure"]))
@click.option(
    "--edgekit",
    "origin",
    default="",
    metavar="URL",
    help="Where pip finds edgekit, as git+https://HOST/edgekit@COMMIT.",
)
@click.option("--mobile", is_flag=True, help="And build the apps: Android, its emulator, iOS, its simulator, Windows.")
@click.option("--force", is_flag=True, help="Replace a workflow that is there.")
def init(system: str, origin: str, mobile: bool, force: bool) -> None:
    """Write SYSTEM's workflow for the project: .github/workflows/edgekit.yml, .gitlab-ci.yml or azure-pipelines.yml."""
    from edgekit import output
    from edgekit.commands import _project
    from edgekit.project import ci, lock

    _, home, pairs = _project.opened()
    place = ci.WORKFLOWS[system]
    path = home / place
    if mobile and system != "github":
        raise UsageError(
            "the jobs for apps are GitHub's", next="leave out --mobile, or: edgekit ci init github --mobile"
        )
    _refuse_many(len(pairs), ci.MOST[system])
    if os.path.lexists(path) and not force:
        raise UsageError(f"{place} is there already", next="edit it, or give --force to write it anew")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make {place.parent}: {error.strerror}", next="fix its rights") from None
    locked = (home / lock.NAME).is_file()
    if system == "gitlab":
        output.write(path, ci.pipeline(pairs, home, locked=locked, origin=origin))
    elif system == "azure":
        output.write(path, ci.azure(pairs, home, locked=locked, origin=origin))
    else:
        output.write(path, ci.workflow(pairs, locked=locked, origin=origin, mobile=mobile))
    if console.json_mode():
        console.document("edgekit.ci.init/1", {"path": str(path), "locked": locked, "jobs": len(pairs)})
        return
    console.out(f"written: {path}, {len(pairs)} jobs")
    if not origin and ci.installed_from().startswith("=="):
        console.out(
            "edgekit is on no index yet: keep its wheel in wheels/, or give --edgekit git+https://HOST/edgekit@COMMIT"
        )
    if not locked:
        console.out(
            f"next: edgekit build writes edgekit.lock; commit it, then edgekit ci init {system} --force holds CI to it"
        )
    else:
        console.out("next: commit edgekit.toml, edgekit.lock and the workflow")


@command.command()
@click.argument("results", nargs=-1, required=True, type=PLACE)
@click.option(
    "--baselines",
    required=True,
    type=PLACE,
    help="A folder of files of edgekit baseline save.",
)
@click.option("-o", "--output", "out", type=PLACE, help="Where; stdout by default.")
def comment(results: tuple[Path, ...], baselines: Path, out: Path | None) -> None:
    """Write one Markdown comment for a pull request: RESULTS beside their baselines, worst rows first.

    It judges nothing, so it ends with 0: edgekit baseline compare fails where something is worse.
    """
    from edgekit import output
    from edgekit.project import against
    from edgekit.report import comment as comments
    from edgekit.verdicts import read

    if out is not None:
        output.check(out)
    entries = against.entries(read.reports(results), against.baselines(baselines))
    text = comments.render(entries)
    if out is None or out == output.STDOUT:
        console.page(text)
    else:
        output.write(out, text)
        console.say(f"comment on {len(entries)} results: {out}")
    if console.json_mode():
        told = {entry.report.bundle.name: entry.why for entry in entries if entry.why}
        console.document("edgekit.ci.comment/1", {"output": str(out) if out else None, "without_baseline": told})
