"""build(): a model and a target become a proven bundle. One straight line.

    Target.load -> open_source -> plan.make -> optimize -> compile -> int8 cache -> settle -> stage -> placement
        -> quality.gate(staged) -> check data -> seal

A failed gate seals nothing and leaves NAME.quality.json beside where the bundle would be.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

from edgekit import cache, compile, console, digests, engines, faces, optimize, output, plan, quality, sources, target
from edgekit.adapters import put_beside, refuse_early
from edgekit.bundle import aside, check_data, draft, kept
from edgekit.bundle.runtime import foreign
from edgekit.bundle.seal import seal
from edgekit.bundle.settle import settle
from edgekit.bundle.stage import stage
from edgekit.bundle.zip import archived
from edgekit.cache import Entry
from edgekit.code import Basis
from edgekit.contract.manifest import Draft, Manifest, Quality, subject
from edgekit.data import digest, jsonable, pretty
from edgekit.digests import Snapshot
from edgekit.errors import NotMeasured
from edgekit.extras import require
from edgekit.inputs import asked, static
from edgekit.inputs.calibration import Calibration, Feed
from edgekit.inputs.options import described, how_made, parse
from edgekit.int8_cache import CHILD as INT8_CACHE
from edgekit.int8_cache import int8_cached
from edgekit.partition import inspect
from edgekit.plan import Plan
from edgekit.predict import effort
from edgekit.quality import GateContext, Mode
from edgekit.quality._inputs import data_of, feeds_of, remarks, shipped_of, shown, suit, truth_of
from edgekit.recipes import load as load_recipe
from edgekit.results import metrics
from edgekit.results.metrics import Limit
from edgekit.results.partition import Partition
from edgekit.sources.source import Source
from edgekit.target import Target


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
    labels: Path | None = None
    task: str | None = None
    adapters: tuple[str, ...] = ()
    merge_adapter: bool = False
    trust_remote_code: bool = False
    accept_source: bool = False
    require_ep: bool = False
    keep_metadata: bool = False
    own_inputs: bool = False
    force: bool = False
    refresh: bool = False
    zip: bool = False


@dataclass(frozen=True)
class Job:
    """One model for one target, with everything resolved and nothing done yet."""

    source: Source
    target: Target
    plan: Plan
    calibration: Calibration | None
    limits: dict[str, Limit]

    @property
    def read(self) -> tuple[Snapshot, ...]:
        """The model and its calibration data, as they were when they were opened."""
        return (*self.source.snapshots, *([self.calibration.snapshot] if self.calibration else []))

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


Stage = Literal["optimize", "compile", "gate", "seal"]
Steps = Generator[Stage, None, Built]


def prepare(ref: str, target_names: Sequence[str | Target], options: Options, *, read: bool = True) -> list[Job]:
    """Resolve and check everything before the first slow step; opens the source, and may `read` its bytes through."""
    metrics.parse_limits(options.limits, by="gate")
    targets = [each if isinstance(each, Target) else target.load(each) for each in target_names]
    if options.recipe is not None:
        load_recipe(options.recipe)  # a wrong name costs no download
    asked.check(options.calibration, options.labels, options.text)
    if read:
        require("build")
    trust, task, fetched = options.trust_remote_code, options.task, read or bool(options.adapters)
    with console.step(f"opening {ref}"):
        plain = sources.open_source(ref, task=task, trust_remote_code=trust, whole=False, fetched=fetched)
    opened = sources.adapted(plain, options.adapters, merge=options.merge_adapter)
    spoken = parse(options.inputs, opened.model)
    inferred = {name: by for name, by in opened.inferred.items() if name not in spoken}
    model = described(opened.model, spoken)
    source = replace(opened, model=model, inferred=inferred, accepted=options.accept_source)
    _doubtful(source, options)
    sources.trial(source)
    limits = metrics.parse_limits(options.limits, by="gate", kind=source.model.kind)
    jobs = [_job(source, each, options, limits) for each in targets]
    for job in jobs:
        compile.refuse_early(job.plan.variants, job.target)
        refuse_early(job.plan, job.source)
    whole = sources.whole(source) if read else source
    return [replace(job, source=whole if job.source is source else job.source) for job in jobs]


def _doubtful(source: Source, options: Options) -> None:
    """Stop at a source whose files do not fit together, before anything slow; the gate would call it invalid too."""
    if not source.doubts or source.accepted:
        return
    why = f"the source is bad: {'; '.join(source.doubts)}"
    if options.quality != "off":
        raise NotMeasured(why, next=quality.advice(metrics.SOURCE_FAULTS.name))
    console.warn(why)


def _job(source: Source, one: Target, options: Options, limits: dict[str, Limit]) -> Job:
    """One target's job: where it needs static shapes, its inputs and their data have exactly these."""
    pinned = one.settings(source.model.kind).static_shapes and static.varies(source.model)
    source = sources.sized(source, options.calibration) if pinned else source
    fixed = replace(source, model=static.pinned(source.model)) if pinned else source
    calibration = data_of(options.calibration, fixed, options.labels, options.text)
    if calibration is not None and options.quality != "off":
        suit(calibration, truth_of(fixed, calibration))
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
        remarks=(*how_made(source.model), *source.remarks, *shown(source, calibration)),
        machine=effort.here(),
    )


def build(job: Job, options: Options) -> Built:
    """Build one bundle, all stages one after another; raises as they do."""
    steps = stages(job, options)
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            return cast(Built, ended.value)


def stages(job: Job, options: Options, agreed: Callable[[dict[str, Any]], None] = lambda key: None) -> Steps:
    """Build one bundle in options.out; an unchanged one is found and left alone. Before a stage begins, it is given.

    Args:
        agreed: is told the bundle's key (`key_of`) before anything is done, and may refuse it.

    Raises:
        QualityError: the gate failed; nothing is sealed, NAME.quality.json says why.
        NotMeasured: the gate could not measure; likewise. `--quality off` accepts it, and the manifest says so.
        SourceError: the model, the calibration data or the text changed meanwhile; nothing made from it is kept.
    """
    destination = aside.resolved(options.out / job.name, force=options.force)
    read = _read(job, options.text)
    with digests.unchanged(*read):
        key = key_of(job, options)
    agreed(key)
    if not options.force and (found := kept.unchanged(destination, key)) is not None:
        console.say(f"{job.name}: unchanged, nothing to do")
        return Built(destination, found, True, archived(destination) if options.zip else None)
    aside.check_destination(destination, job.name, force=options.force)
    yield "optimize"
    with aside.workspace(destination) as room:
        with digests.unchanged(*read):
            it = yield from _judged(job, options, room)
        for whose, findings in it.quality.items():
            _accept(findings, job, destination, options, whose.partition("/")[2])
        yield "seal"
        with digests.unchanged(*read), console.step("recording goldens"):
            check_data.write_check(it.staged, it.draft, it.shipped)
        with console.step("sealing"):
            before = kept.files(destination) if options.refresh else {}
            manifest = seal(it.staged, it.draft, it.quality, destination, partition=it.placed, force=options.force)
    if before:
        console.say(f"{job.name}: {cache.compared(before, kept.files(destination))}")
    kept.remember(key, manifest)
    destination.with_name(f"{job.name}.quality.json").unlink(missing_ok=True)
    return Built(destination, manifest, False, archived(destination) if options.zip else None)


@dataclass(frozen=True)
class _Judged:
    """A staged bundle and what was found out about it: of each variant its placement, of one what the gate says."""

    draft: Draft
    staged: Path
    shipped: list[Feed] | None
    placed: dict[str, Partition]
    quality: dict[str, Quality]


def _judged(job: Job, options: Options, room: Path) -> Generator[Stage, None, _Judged]:
    """Stage and judge. What the gate refuses of what an earlier build left in the cache is made again, once."""
    with cache.session() as used:
        first = yield from _once(job, options, room)
    if all(found.verdict != "fail" for found in first.quality.values()) or not (suspects := used.suspects()):
        return first
    console.warn(f"{job.name}: the gate refuses what the cache held; it is made again, once")
    aside.remove(first.staged)
    yield "optimize"
    with cache.session(distrusted=suspects):
        return (yield from _once(job, options, room))


def _once(job: Job, options: Options, room: Path) -> Generator[Stage, None, _Judged]:
    """From the source to a staged bundle and the gate's findings."""
    fallback = job.target.settings(job.plan.kind).fallback == "cpu"
    optimized = {}
    for (name, entry), variant in zip(quantized(job, room).items(), job.plan.variants, strict=True):
        if entry.hit:
            console.say(f"quantizing with {variant.recipe}: already done, taken from the cache")
        optimized[name] = entry.path / "model"
    yield "compile"
    compiled = compile.compiled(job.plan.variants, optimized, job.target, fallback=fallback)
    folders = int8_cached(job.plan, {name: made.folder for name, made in compiled.items()}, room)
    models = put_beside(folders, job.source, room)
    facts = {name: made.facts for name, made in compiled.items()}
    data = job.calibration.facts() if job.calibration is not None else None
    drafted = draft.draft(job.plan, job.source, job.target, models, facts, data, engines.versions(optimize.ENGINES))
    with console.step("staging"), tempfile.TemporaryDirectory(prefix="settled-", dir=room) as work:
        settled = settle(models, job.plan.form, drafted.contract, job.source, job.target, work, options.keep_metadata)
        stage(room / "new", drafted, settled.files, faces.staged(drafted), draft.licenses(job.source))
    yield "gate"
    with console.step("placement"):
        simulator = compile.simulator(job.plan.variants)
        placed = inspect.placement(room / "new", drafted, job.target, simulator, require_ep=options.require_ep)
    feeds, note = feeds_of(job.plan.form, job.source, job.calibration)
    shipped = shipped_of(job.source, job.calibration, feeds, own=options.own_inputs)
    truth = truth_of(job.source, job.calibration)
    notes = (*remarks(job.plan.form, job.plan.main.precision, job.source, note, truth), *settled.changes)
    prepared = optimize.prepared(optimized[job.plan.main.name])
    context = replace(_context(job, options, drafted, room, feeds, notes), truth=truth, prepared=prepared)
    judged = next(one.name for one in drafted.variants if one.path == context.model_path)
    found = {subject(judged, name): each for name, each in quality.with_adapters(context).items()}
    shutil.rmtree(context.work, ignore_errors=True)
    return _Judged(drafted, room / "new", shipped, placed, found)


def _read(job: Job, text: Path | None) -> tuple[Snapshot, ...]:
    """What a build reads, as it was when it was opened."""
    return (*job.read, *([digests.snapshot(text, what=f"the text {text.name}")] if text else []))


def quantized(job: Job, room: Path) -> dict[str, Entry]:
    """Each variant's model, in a folder of its entry; calibration data is written out for as long as Olive needs it."""
    data = job.calibration if job.plan.calibrated else None
    source = job.source.path, job.source.model.sha256
    with tempfile.TemporaryDirectory(prefix="calibration-", dir=room) as name:
        folder, sha256 = (Path(name), data.sha256) if data is not None else (None, None)
        if data is not None:
            data.write_feeds(Path(name))
        return {
            variant.name: optimize.run(job.plan, variant, *source, folder, sha256, job.read)
            for variant in job.plan.variants
        }


def _context(
    job: Job, options: Options, drafted: Draft, room: Path, feeds: list[Feed] | None, notes: tuple[str, ...]
) -> GateContext:
    """What the gate is given of a staged bundle."""
    (room / "gate").mkdir()
    main = job.plan.main
    paths = {one.name: one.path for one in drafted.variants}
    simulator = compile.simulator(job.plan.variants)
    compiled = next((one.name for one in drafted.variants if one.compiled), None) if job.plan.form == "genai" else None
    variant = next(each for each in drafted.variants if each.name == (compiled or main.name))
    return GateContext(
        source=job.source,
        staged=room / "new",
        model_path=variant.path,
        contract=drafted.contract,
        target=job.target,
        precision=main.precision,
        work=room / "gate",
        card=job.source.card,
        mode=options.quality,
        feeds=feeds,
        text=options.text,
        overrides=job.limits,
        ep="cpu" if simulator is None else next(one.ep for one in job.plan.variants if one.compile),
        ep_options=simulator or {},
        elsewhere=foreign(drafted) or variant.ep != "cpu",
        uncompiled=room / "new" / paths[main.name] if compiled else None,
        notes=notes,
        read=_read(job, options.text),
    )


def _accept(found: Quality, job: Job, destination: Path, options: Options, adapter: str) -> None:
    """Go on with a pass, or with what the user accepts unmeasured; else leave the findings and stop."""
    error = quality.explain(found, quality.causes(job.source, job.target, job.plan.main.precision), adapter)
    if error is None or (isinstance(error, NotMeasured) and options.quality == "off"):
        if error is not None:
            console.warn("the quality gate is off: the manifest says not measured")
        return
    report = destination.with_name(f"{destination.name}.quality.json")
    output.write(report, pretty(jsonable(found)))
    console.say(f"the gate's findings are in {report}")
    raise error


def key_of(job: Job, options: Options) -> dict[str, Any]:
    """All that a bundle depends on."""
    plan, source = job.plan, job.source
    data = job.calibration.sha256 if job.calibration is not None else None
    own = ("edgekit.jobs.opset", "edgekit.partition._child", INT8_CACHE)
    children = (*quality.children(plan.kind), *own, *compile.roots(plan.variants))
    return {
        "plan": jsonable(plan),
        "source": source.model.sha256,
        "files": source.snapshot.sha256,
        "model": jsonable(source.model),
        "outputs": [source.decode, source.names, jsonable(source.card) if source.card is not None else None],
        "target": digest(jsonable(job.target)),
        "calibration": job.calibration.facts() if job.calibration is not None else None,
        "optimize": [optimize.key(plan, variant, source.model.sha256, data) for variant in plan.variants],
        "accepted": [source.accepted, options.keep_metadata, options.own_inputs],
        "quality": [options.quality, {name: jsonable(one) for name, one in sorted(job.limits.items())}],
        "text": cache.path_digest(options.text) if options.text else None,
        "basis": Basis(("edgekit.build", *children), engines=optimize.ENGINES).key(),
    }
