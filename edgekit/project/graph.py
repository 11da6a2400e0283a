"""The graph of what is built: of each model its import, of each pair optimize, compile, gate and seal.

A pair is the straight line of edgekit.build, which says at each of its stages which comes next; a stage is a task, with
what it will take of memory and cores as predicted. Of pairs that share a step of Olive which the cache lacks, the first
makes it, and the others' stage comes after that one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any

from edgekit import build as builder
from edgekit import cache, console, engines, optimize, progress
from edgekit.build import Built, Job, Stage, Steps
from edgekit.data import digest
from edgekit.errors import EdgekitError
from edgekit.jobs import layered
from edgekit.plan import footprint
from edgekit.predict import build as predicted
from edgekit.project import schedule
from edgekit.project.schedule import Budget, Task

IMPORT = "import"


@dataclass
class Line:
    """A pair on its way.

    Attributes:
        name: of the pair.
        job: None of one that is refused; its steps say why.
        steps: the stages, from edgekit.build.
        at: its place among all.
    """

    name: str
    job: Job | None
    steps: Steps
    at: int
    context: Context = field(default_factory=copy_context)
    built: Built | None = None
    error: EdgekitError | None = None


def budget(memory: int | None = None, cores: int | None = None, jobs: int | None = None) -> Budget:
    """What a build may take: by default the memory that is free, all cores of this machine, as many jobs as fit.

    The libraries that stay loaded take their part of the memory first.
    """
    cores = cores or int(engines.machine()["threads"])
    free = memory or layered.available_bytes()
    return Budget(max(0, free - predicted.LOADED), cores, jobs or cores)


class Graph:
    """Lines, whose stages become tasks one after another."""

    def __init__(
        self, limits: Budget, *, named: bool, failed: Callable[[EdgekitError], None] = console.failure
    ) -> None:
        """Begin without any.

        Args:
            named: what is said of a line begins with its name, for others are worked on beside it.
            failed: is told why there is no bundle of a line.
        """
        self.limits, self.named, self._failed = limits, named, failed
        self._lines: list[Line] = []
        self._makers: dict[str, str] = {}

    def run(self, tasks: Sequence[Task]) -> None:
        """Work through these and all that they lead to; what is left undone, where one ends the run, is tidied up."""
        try:
            schedule.run(tasks, self.limits)
        finally:
            for line in self._lines:
                line.context.run(line.steps.close)

    def begun(self, line: Line) -> list[Task]:
        """Its first stage; none where it is unchanged or refused."""
        self._lines.append(line)
        if self.named:
            line.context.run(progress.who.set, line.name)
        return self._next(line)

    def opened(self, name: str, source_bytes: int, at: int, lines: Callable[[], Sequence[Line]]) -> Task:
        """The import of a model for some pairs; it comes before any stage, so that what is refused is told early."""

        def run() -> list[Task]:
            return [task for line in lines() for task in self.begun(line)]

        return Task(f"{name}: {IMPORT}", predicted.imported(source_bytes), run, order=(0, at))

    def _next(self, line: Line) -> list[Task]:
        """Do what comes before the next stage, and give that one."""
        try:
            stage = line.context.run(next, line.steps)
        except StopIteration as ended:
            line.built = ended.value
            return []
        except EdgekitError as error:
            line.context.run(self._failed, error)
            line.error = error
            return []
        return [self._task(line, stage)]

    def _task(self, line: Line, stage: Stage) -> Task:
        assert line.job is not None
        name = f"{line.name}: {stage}"
        steps = [digest(key) for key in _steps(line.job)] if stage == "optimize" else []
        needs = frozenset(self._makers[step] for step in steps if step in self._makers)
        self._makers = dict.fromkeys(steps, name) | self._makers
        taken, cores = takes(line.job, stage, self.limits.memory)
        if taken > self.limits.memory and self.named:
            told = f"{stage} may take {taken / 1e9:.1f} GB of memory (estimated), {self.limits.memory / 1e9:.1f} GB are"
            line.context.run(console.detail, f"{told} free for it: nothing is built beside it")
        return Task(name, taken, lambda: self._next(line), needs, cores, (1, line.at))


def takes(job: Job, stage: Stage, free: int) -> tuple[int, int]:
    """Bytes and cores of a stage of a pair, as predicted for so much free memory."""
    model, plan = job.source.model, job.plan
    if model.llm is None:
        weights = sum(model.weight_bytes_by_op.values())
        return predicted.tensor_stage(stage, weights), predicted.tensor_cores(stage, weights)
    passes = [step["type"] for step in plan.optimize_step(plan.main).config.get("passes", {}).values()]
    quantized, running = predicted.on_torch(passes), footprint(plan, model, job.target).predicted_peak_bytes
    taken = predicted.language_stage(stage, model, running, quantized_first=quantized, free=free)
    return taken, predicted.language_cores(stage)


def _steps(job: Job) -> Iterator[dict[str, Any]]:
    """The steps of Olive that the cache lacks."""
    data = job.calibration.sha256 if job.calibration is not None else None
    for variant in job.plan.variants:
        key = optimize.key(job.plan, variant, job.source.model.sha256, data)
        if key["config"] and cache.lookup("optimize", key) is None:
            yield key


def of_jobs(jobs: Sequence[Job], options: builder.Options) -> tuple[list[Built], dict[str, EdgekitError]]:
    """Build one model for some targets, each whatever becomes of the others: bundles, and errors by name.

    Raises:
        EdgekitError: the only job failed.
    """
    many = len(jobs) > 1
    graph = Graph(budget(jobs=None if many else 1), named=many, failed=console.failure if many else lambda error: None)
    lines = [Line(job.name, job, builder.stages(job, options), at) for at, job in enumerate(jobs)]
    graph.run([task for line in lines for task in graph.begun(line)])
    if not many and lines[0].error is not None:
        raise lines[0].error
    built = [line.built for line in lines if line.built is not None]
    return built, {line.name: line.error for line in lines if line.error is not None}
