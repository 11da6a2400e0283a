"""What commands share about a project: its file, its pairs, its table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit import console
from edgekit.errors import EdgekitError, UsageError, worst

if TYPE_CHECKING:
    from edgekit.project.file import Project
    from edgekit.project.pairs import Pair
    from edgekit.project.run import Outcome

# The options of `edgekit build` that a project takes; the others are keys of its file.
FREE = {"source", "out", "only", "locked", "jobs", "memory", "cores", "dry_run", "archive", "force", "refresh"}


def check_words(ctx: click.Context) -> None:
    """Refuse options of a single build where a project is built.

    Raises:
        UsageError: one was given.
    """
    from click.core import ParameterSource

    for parameter in ctx.command.params:
        name = parameter.name or ""
        if (
            parameter.expose_value
            and name not in FREE
            and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        ):
            word = parameter.opts[-1]
            raise UsageError(
                f"{word} is for one model: without SOURCE the project is built as its edgekit.toml says",
                next="give SOURCE, or write it into edgekit.toml; --only builds some of the project's pairs",
            )


def check_single(targets: Sequence[str], **words: object) -> None:
    """Refuse options of a project where one model is built, and a build for no target."""
    if word := next((f"--{name}" for name, value in words.items() if value), None):
        raise UsageError(f"{word} is for a project", next="leave out SOURCE, and run it where edgekit.toml lies")
    if not targets:
        raise UsageError("no --target was given", next="add --target linux-cpu; edgekit targets lists them")


def opened(out: Path | None = None, *, lacks: str = "") -> tuple[Project, Path, list[Pair]]:
    """The project at or above the current folder, its folder and its pairs; `lacks` is said where there is none.

    Raises:
        UsageError: there is none, or it is wrong.
    """
    from edgekit.project import file, pairs

    path = file.nearest_file(Path.cwd())
    if path is None:
        raise UsageError(
            f"{lacks}there is no {file.NAME} here or above",
            next=f"{'give SOURCE and --target, or ' if lacks else ''}begin a project: edgekit init",
        )
    project = file.load(path)
    return project, path.parent, pairs.of(project, path.parent, out=out.absolute() if out else None)


def device_of(bundle: Path) -> str:
    """The device that edgekit.toml names for a bundle of its project; empty where there is none.

    Raises:
        UsageError: the bundle lies in the folder of an edgekit.toml that is wrong.
    """
    from edgekit.project import file

    path = file.nearest_file(Path.cwd())
    if path is None or not bundle.resolve().is_relative_to(path.parent.resolve()):
        return ""
    _, _, pairs = opened()
    device = next((pair.device for pair in pairs if pair.bundle.resolve() == bundle.resolve()), "")
    if device:
        console.say(f"on {device}, as {path.name} says")
    return device


def build(
    out: Path | None,
    only: Sequence[str],
    *,
    locked: bool,
    jobs: int | None,
    memory: str | None,
    cores: int | None,
    dry_run: bool,
    zip: bool,
    force: bool,
    refresh: bool,
) -> None:
    """Build the project, show what came of it, raise the worst error.

    Raises:
        EdgekitError: of the pair whose exit code comes first.
    """
    from edgekit.bundle.aside import check_writable
    from edgekit.fit import estimate
    from edgekit.project import pairs as all_pairs
    from edgekit.project import run

    project, home, pairs = opened(out, lacks="no model was given, and ")
    asked = {"force": force, "refresh": refresh, "zip": zip or project.zip}
    pairs = [replace(pair, options=replace(pair.options, **asked)) for pair in pairs]  # type: ignore[arg-type]
    chosen = all_pairs.selected(pairs, only)
    if dry_run:
        _plans(home, chosen)
        return
    check_writable(chosen[0].options.out)
    size = estimate.size(memory) if memory else None
    outcomes = run.build(chosen, home, locked=locked, jobs=jobs, memory=size, cores=cores)
    written = not locked and run.write_lock(home, pairs, outcomes)
    _show(outcomes, written)


def _plans(home: Path, pairs: Sequence[Pair]) -> None:
    from edgekit.commands import _estimates
    from edgekit.data import jsonable
    from edgekit.plan import footprint
    from edgekit.project import lock, run

    ready = run.prepared(pairs, lock.read(home / lock.NAME), read=False)
    errors = {entry.pair.name: entry.error for entry in ready if entry.error is not None}
    jobs = {entry.pair.name: entry.job for entry in ready if entry.job is not None}
    taken = {name: footprint(job.plan, job.source.model, job.target) for name, job in jobs.items()}
    building = {name: _estimates.building(job, taken[name]) for name, job in jobs.items()}
    if console.json_mode():
        plans = {name: jsonable(job.plan) for name, job in jobs.items()}
        estimated = {name: jsonable(each) for name, each in taken.items()}
        data = {"dry_run": True, "plans": plans, "estimated": estimated, "building": building}
        console.document("edgekit.build/1", {**data, "failed": failures(errors)}, error=worst(errors.values()))
    rows = [
        (
            *(pair.model, pair.target.name, jobs[pair.name].plan.main.recipe, jobs[pair.name].plan.main.precision),
            *_estimates.cells(taken[pair.name], building[pair.name]),
        )
        for pair in (entry.pair for entry in ready)
        if pair.name in jobs
    ]
    columns = ("model", "target", "recipe", "precision", *_estimates.COLUMNS)
    console.table("estimated, before anything is fetched or built", columns, rows, right=(4, 5, 6))
    for name, error in errors.items():
        console.out(f"refused: {name}: {error.message}")
    raise_worst(errors)


def _show(outcomes: Sequence[Outcome], written: bool) -> None:
    errors = {entry.pair.name: entry.error for entry in outcomes if entry.error is not None}
    if console.json_mode():
        bundles = {entry.pair.name: _plain(entry) for entry in outcomes if entry.built is not None}
        data = {"dry_run": False, "bundles": bundles, "failed": failures(errors), "lock_written": written}
        console.document("edgekit.build/1", data, error=worst(errors.values()))
    columns = ("model", "target", "outcome", "recipe", "MB of model", "proof")
    console.table("", columns, [_row(entry) for entry in outcomes], right=(4,))
    for entry in outcomes:
        if entry.changed:
            console.out(f"{entry.pair.name}: changed since edgekit.lock: {'; '.join(entry.changed)}")
    if written:
        console.out("written: edgekit.lock")
    for entry in outcomes:
        if entry.built is not None and entry.pair.device:
            console.out(f"next: edgekit check {entry.built.path}   (on {entry.pair.device}, as edgekit.toml says)")
    for name, error in errors.items():
        console.out(f"failed: {name}: {error.message}")
    raise_worst(errors)


def _row(entry: Outcome) -> tuple[str, ...]:
    place = (entry.pair.model, entry.pair.target.name)
    if entry.built is None:
        return (*place, f"exit {entry.error.exit_code}" if entry.error else "", "", "", "")
    manifest = entry.built.manifest
    size = sum(file.size for file in manifest.files if file.role == "model") / 1e6
    state = "unchanged" if entry.built.unchanged else "built"
    return (*place, state, manifest.recipe.name, f"{size:.1f}", manifest.judged.proof)


def _plain(entry: Outcome) -> dict[str, Any]:
    built = entry.built
    assert built is not None
    return {
        "path": str(built.path),
        "zip": str(built.archive) if built.archive else None,
        "unchanged": built.unchanged,
        "sha256": built.manifest.sha256,
        "recipe": built.manifest.recipe.name,
        "proof": built.manifest.judged.proof,
        "changed": list(entry.changed),
    }


def failures(errors: dict[str, EdgekitError]) -> dict[str, Any]:
    """Errors by pair, as a JSON document has them."""
    return {name: {"code": entry.code, "message": entry.message, "next": entry.next} for name, entry in errors.items()}


def raise_worst(errors: dict[str, EdgekitError]) -> None:
    """Raise it, if there is one."""
    if (error := worst(errors.values())) is not None:
        raise error
