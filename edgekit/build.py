"""build(): a model and a target become a proven bundle. One straight line.

    Target.load -> open_source -> plan.make -> optimize -> compile -> stage -> runtime floor -> placement
        -> quality.gate(staged) -> check data -> seal

A failed gate seals nothing and leaves NAME.quality.json beside where the bundle would be.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit import __version__, cache, compile, console, optimize, plan, quality, sources, target
from edgekit.bundle import aside, check_data, draft
from edgekit.bundle.manifest import LlmContract, Manifest, Quality
from edgekit.bundle.read import read
from edgekit.bundle.runtime import OWN
from edgekit.bundle.seal import seal
from edgekit.bundle.stage import stage
from edgekit.bundle.verify import verified
from edgekit.bundle.zip import zip_bundle
from edgekit.data import digest, jsonable, pretty, write_atomic
from edgekit.errors import BundleError, EdgekitError, NotMeasured, UsageError
from edgekit.extras import require
from edgekit.inputs import static
from edgekit.inputs.calibration import Calibration, Feed, open_calibration
from edgekit.inputs.options import described, parse
from edgekit.inputs.synthetic import probe_feeds
from edgekit.partition import inspect
from edgekit.plan import Plan
from edgekit.quality import GateContext, Mode
from edgekit.sources.source import Source
from edgekit.target import Budget, Target


@dataclass(frozen=True)
class Options:
    """What the user asked for besides the model and its targets."""

    out: Path
    recipe: str | None = None
    calibration: Path | None = None
    quality: Mode = "default"
    text: Path | None = None
    limits: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    task: str | None = None
    trust_remote_code: bool = False
    require_ep: bool = False
    force: bool = False
    zip: bool = False


@dataclass(frozen=True)
class Job:
    """One model for one target, with everything resolved and nothing done yet."""

    source: Source
    target: Target
    plan: Plan
    calibration: Calibration | None
    limits: dict[str, Budget]

    @property
    def name(self) -> str:
        """The bundle's name and the last part of its folder."""
        return f"{self.source.model.name}-{self.target.name}"


@dataclass(frozen=True)
class Built:
    """A bundle: where it is, what its manifest says, whether it was there already."""

    path: Path
    manifest: Manifest
    unchanged: bool
    archive: Path | None = None


def prepare(ref: str, target_names: Sequence[str], options: Options) -> list[Job]:
    """Resolve and check everything before the first slow step; opens (fetches, imports) the source."""
    targets = [target.load(name) for name in target_names]
    require("build")
    with console.step(f"opening {ref}"):
        source = sources.open_source(ref, task=options.task, trust_remote_code=options.trust_remote_code)
    source = replace(source, model=described(source.model, parse(options.inputs, source.model)))
    limits = quality.parse(options.limits, source.model.kind)
    jobs = [_job(source, one, options, limits) for one in targets]
    for job in jobs:
        compile.refuse_early(job.plan.variants, job.target)
    return jobs


def _job(source: Source, one: Target, options: Options, limits: dict[str, Budget]) -> Job:
    """One target's job: where it needs static shapes, its inputs and their data have exactly these."""
    fixed = source
    if source.model.kind == "tensor" and one.tensor.static_shapes and static.varies(source.model):
        fixed = replace(source, model=static.pinned(source.model))
    calibration = None
    if options.calibration is not None:
        calibration = open_calibration(options.calibration, fixed.model, source.card, source.path)
    return Job(fixed, one, planned(source, one, calibration, options), calibration, limits)


def planned(source: Source, one: Target, calibration: Calibration | None, options: Options) -> Plan:
    """The plan for a source that is open; raises as plan.make does."""
    return plan.make(
        source.model,
        one,
        recipe=options.recipe,
        calibration=calibration.facts() if calibration else None,
        card=source.card,
        origin=source.origin,
        require_ep=options.require_ep,
        trust_remote_code=source.trust_remote_code,
    )


def build(job: Job, options: Options, ahead: optimize.Ahead | None = None) -> Built:
    """Build one bundle in options.out; an unchanged one is found and left alone.

    Raises:
        QualityError: the gate failed; nothing is sealed, NAME.quality.json says why.
        NotMeasured: the gate could not measure; likewise. `--quality off` accepts it, and the manifest says so.
        EdgekitError: as the steps raise.
    """
    destination = (options.out / job.name).absolute()
    key = _key(job, options)
    if not options.force and (found := _unchanged(destination, key)) is not None:
        console.say(f"{job.name}: unchanged, nothing to do")
        return Built(destination, found, True, _archive(destination, options))
    aside.check_destination(destination, job.name, force=options.force)
    with aside.workspace(destination) as room:
        compiled = _compile(job, _optimize(job, room, ahead))
        models = {name: one.folder for name, one in compiled.items()}
        made = draft.draft(job.plan, job.source, job.target, models, _facts(job), optimize.versions(optimize.ENGINES))
        made = _tied(made, compiled)
        staged = room / "new"
        licences = draft.licences(job.source)
        with console.step("staging"):
            stage(staged, made, {f"model/{name}": folder for name, folder in models.items()}, OWN, licences)
            if isinstance(made.contract, LlmContract):
                for variant in made.variants:
                    draft.settle_genai(staged / variant.path, made.contract)
            else:
                draft.settle_tensor(staged, made.contract, job.source)
            changed = inspect.settle(staged, made, job.target)
        with console.step("placement"):
            simulator = compile.simulator(job.plan.variants)
            placed = inspect.placement(staged, made, job.target, simulator, require_ep=options.require_ep)
        feeds, note = _feeds(job.source, job.calibration)
        found_quality = _gate(job, options, made, staged, room, feeds, note)
        _accept(found_quality, destination, options)
        found_quality = found_quality.model_copy(update={"notes": (*found_quality.notes, *changed)})
        made = made.model_copy(update={"quality": found_quality, "partition": placed})
        with console.step("recording goldens"):
            check_data.write_check(staged, made, feeds)
        with console.step("sealing"):
            manifest = seal(staged, made, destination, force=options.force)
    _remember(key, manifest)
    destination.with_name(f"{job.name}.quality.json").unlink(missing_ok=True)
    return Built(destination, manifest, False, _archive(destination, options))


def build_all(jobs: Sequence[Job], options: Options) -> tuple[list[Built], dict[str, EdgekitError]]:
    """Build each job; one that fails does not keep the others from being built. Returns bundles, and errors by name.

    Raises:
        EdgekitError: the only job failed.
    """
    built: list[Built] = []
    failed: dict[str, EdgekitError] = {}
    with optimize.Ahead(_steps(jobs)) as ahead:
        if len(jobs) == 1:
            return [build(jobs[0], options, ahead)], {}
        for job in jobs:
            try:
                built.append(build(job, options, ahead))
            except EdgekitError as error:
                console.failure(error)
                failed[job.name] = error
    return built, failed


def _steps(jobs: Sequence[Job]) -> Iterator[dict[str, Any]]:
    """The keys of Olive's steps, which may be loaded ahead; none of language models, which need all of the memory."""
    for job in jobs if jobs[0].plan.kind == "tensor" else ():
        for variant in job.plan.variants:
            if job.plan.optimize_step(variant).config:
                data = job.calibration.sha256 if job.calibration is not None else None
                yield optimize.key(job.plan, variant, job.source.model.sha256, data)


def regate(
    bundle: Path,
    ref: str,
    mode: Mode,
    *,
    calibration: Path | None = None,
    text: Path | None = None,
    limits: Sequence[str] = (),
    variant: str | None = None,
) -> Quality:
    """The quality gate of a sealed bundle beside its source; nothing is written into the bundle.

    Raises:
        BundleError: the bundle is not whole, or it was not built from this source.
        UsageError: it has no such variant.
    """
    manifest = verified(bundle, allow_stripped=True)
    with console.step(f"opening {ref}"):
        source = sources.open_source(ref)
    if source.model.sha256 != manifest.source.sha256:
        raise BundleError(
            f"{manifest.name} was built from {manifest.source.ref}, {ref} is another model",
            next="give the source it was built from, unchanged",
        )
    fitting = [one for one in manifest.variants if variant in (None, one.name)]
    chosen = next((one for one in fitting if not one.compiled), fitting[0] if fitting else None)  # this CPU runs it
    if chosen is None:
        known = ", ".join(one.name for one in manifest.variants)
        raise UsageError(f"{manifest.name} has no variant {variant!r}", next=f"one of: {known}")
    inputs = open_calibration(calibration, source.model, source.card, source.path) if calibration else None
    feeds, note = _feeds(source, inputs)
    with tempfile.TemporaryDirectory(prefix="edgekit-quality-") as work:
        context = GateContext(
            source=source,
            staged=bundle,
            model_path=chosen.path,
            contract=manifest.contract,
            target=target.load(manifest.target.name),
            precision=manifest.recipe.precision,
            work=Path(work),
            card=source.card,
            mode=mode,
            feeds=feeds,
            text=text,
            overrides=quality.parse(limits, source.model.kind),
        )
        return _noted(quality.gate(context), note)


def _noted(found: Quality, note: str) -> Quality:
    return found.model_copy(update={"notes": (*found.notes, note)}) if note else found


def _optimize(job: Job, room: Path, ahead: optimize.Ahead | None) -> dict[str, Path]:
    """The folder of each variant's model; calibration data is written out for as long as Olive needs it."""
    folder, sha256 = None, None
    if job.calibration is not None and job.plan.calibrated:
        folder, sha256 = room / "calibration", job.calibration.sha256
        folder.mkdir()
        job.calibration.write_feeds(folder)
    models = {}
    for variant in job.plan.variants:
        entry = optimize.run(job.plan, variant, job.source.path, job.source.model.sha256, folder, sha256, ahead)
        if entry.hit:
            console.say(f"quantizing with {variant.recipe}: already done, taken from the cache")
        models[variant.name] = entry.path / "model"
    if folder is not None:
        shutil.rmtree(folder)
    return models


def _compile(job: Job, models: dict[str, Path]) -> dict[str, compile.CompiledVariant]:
    """Each variant's model, compiled ahead of time where the plan says so."""
    return {one.name: compile.compile_variant(one, models[one.name], job.target) for one in job.plan.variants}


def _tied(made: Manifest, compiled: dict[str, compile.CompiledVariant]) -> Manifest:
    """The manifest with what its compiled variants are tied to, and what their compiler did."""
    variants = []
    for variant in made.variants:
        one = compiled[variant.name]
        axes = {key: value for key, value in one.compatibility if value}
        update = {"compatibility": variant.compatibility.model_copy(update=axes), "compiled": one.facts}
        variants.append(variant.model_copy(update={"ep_options": one.ep_options, **update}))
    return made.model_copy(update={"variants": tuple(variants)})


def _facts(job: Job) -> dict[str, object] | None:
    return job.calibration.facts() if job.calibration is not None else None


def _feeds(source: Source, calibration: Calibration | None) -> tuple[list[Feed] | None, str]:
    """Inputs for the gate and the goldens that calibration has not seen, and what they are."""
    if source.model.kind == "llm":
        return None, ""
    if calibration is not None and calibration.evaluate:
        feeds = list(calibration.evaluate)
        return feeds, f"compared on {len(feeds)} inputs that calibration did not see"
    return probe_feeds(source.model, source.card, source.path)


def _gate(
    job: Job, options: Options, made: Manifest, staged: Path, room: Path, feeds: list[Feed] | None, note: str
) -> Quality:
    """The gate's finding, kept by what it depends on: a verdict does not change when the folder does."""
    work = room / "gate"
    work.mkdir()
    main = job.plan.main
    paths = {one.name: one.path for one in made.variants}
    simulator = compile.simulator(job.plan.variants)
    compiled = next((one.name for one in made.variants if one.compiled), None) if job.plan.kind == "llm" else None
    context = GateContext(
        source=job.source,
        staged=staged,
        model_path=paths[compiled or main.name],
        contract=made.contract,
        target=job.target,
        precision=main.precision,
        work=work,
        card=job.source.card,
        mode=options.quality,
        feeds=feeds,
        text=options.text,
        overrides=job.limits,
        ep="cpu" if simulator is None else next(one.ep for one in job.plan.variants if one.compile),
        ep_options=simulator or {},
        uncompiled=staged / paths[main.name] if compiled else None,
    )
    found = quality.gate(context)
    shutil.rmtree(work, ignore_errors=True)
    return _noted(found, note)


def _accept(found: Quality, destination: Path, options: Options) -> None:
    """Go on with a pass, or with what the user accepts unmeasured; else leave the findings and stop."""
    error = quality.explain(found)
    if error is None or (isinstance(error, NotMeasured) and options.quality == "off"):
        if error is not None:
            console.warn("the quality gate is off: the manifest says not measured")
        return
    report = destination.with_name(f"{destination.name}.quality.json")
    with aside.writing("writing the quality report"):
        write_atomic(report, pretty(jsonable(found)))
    console.say(f"the gate's findings are in {report}")
    raise error


def _key(job: Job, options: Options) -> dict[str, Any]:
    """All that a bundle depends on."""
    return {
        "plan": jsonable(job.plan),
        "source": job.source.model.sha256,
        "model": jsonable(job.source.model),
        "target": digest(jsonable(job.target)),
        "calibration": _facts(job),
        "quality": [options.quality, {name: jsonable(one) for name, one in sorted(job.limits.items())}],
        "text": cache.path_digest(options.text) if options.text else None,
        "runtime": cache.path_digest(OWN),
        "tools": {"edgekit": __version__, **optimize.versions(optimize.ENGINES)},
    }


def _unchanged(destination: Path, key: dict[str, Any]) -> Manifest | None:
    """The bundle at the destination, if it is what this key gave and none of its bytes changed since."""
    record = cache.lookup("bundle", key)
    if record is None or not destination.is_dir():
        return None
    try:
        manifest = read(destination)
        sealed = json.loads((record / "bundle.json").read_text(encoding="utf-8"))["sha256"]
        paths = {path.relative_to(destination).as_posix() for path in destination.rglob("*") if not path.is_dir()}
        whole = paths - {"edgekit.json"} == {one.path for one in manifest.files} and all(
            cache.path_digest(destination / one.path) == one.sha256 for one in manifest.files
        )
    except (EdgekitError, OSError, ValueError, KeyError):
        return None
    return manifest if whole and manifest.sha256 == sealed else None


def _remember(key: dict[str, Any], manifest: Manifest) -> None:
    def write(folder: Path) -> None:
        write_atomic(folder / "bundle.json", pretty({"name": manifest.name, "sha256": manifest.sha256}))

    if (old := cache.lookup("bundle", key)) is not None:
        cache.discard(old)
    cache.produce("bundle", key, write, what=manifest.name)


def _archive(destination: Path, options: Options) -> Path | None:
    if not options.zip:
        return None
    archive = destination.with_name(f"{destination.name}.zip")
    with console.step("writing the zip"):
        zip_bundle(destination, archive)
    return archive
