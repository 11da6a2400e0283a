"""ab(): two bundles on one device in turns, A B B A, until the ratio is known well enough."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit import __version__, check, console
from edgekit.bundle.manifest import Manifest
from edgekit.bundle.runtime import foreign
from edgekit.check import Found, Options
from edgekit.devices import Device, Session
from edgekit.errors import EdgekitError, QualityError, UsageError
from edgekit.meters import thermal
from edgekit.reading import Reader
from edgekit.report import ab as statistic
from edgekit.report import summary, validity, workload
from edgekit.report.ab import AbReport, Times
from edgekit.report.check_plan import BenchOutcome, CheckPlan

COOL_S = 120.0  # a block that would begin warmer than the first waits so long
LOOK_S = 5.0


def ab(a: Path, b: Path, device: Device, options: Options, blocks: int | None = None) -> AbReport:
    """Compare two bundles of one kind on one device, by the same workload.

    Args:
        blocks: how many; None: 8 to 15, by the spread of the first 8.

    Raises:
        UsageError: a language model beside a tensor model.
        QualityError: one of them answers wrongly: its speed would mean nothing.
        BundleError, DeviceError, ToolMissing, NotMeasured: as `check` raises.
    """
    (first, plan), (second, other) = check.opened(a, options), check.opened(b, options)
    if plan.kind != other.kind:
        raise UsageError(
            f"{first.name} is a {plan.kind} model, {second.name} a {other.kind} model", next="give two of one kind"
        )
    plan, other = workload.turn(plan), other.model_copy(update={"bench": workload.turn(plan).bench})
    with (
        device.session(a, first, trust=options.trust) as session_a,
        device.session(b, second, trust=options.trust) as session_b,
    ):
        found = _begin(session_a, device, plan, options, first)
        _begin(session_b, device, other, options, second)
        turns = _Turns(((session_a, plan), (session_b, other)), options, check.reader_of(device, found.evidence))
        turns.take(blocks)
    return _report(first, second, found, turns)


class _Turns:
    """The blocks so far: for each process what it found, for each block how warm it began."""

    def __init__(self, sides: tuple[tuple[Session, CheckPlan], ...], options: Options, reader: Reader | None) -> None:
        self._sides, self._options, self._reader = sides, options, reader
        self.values: list[list[dict[str, float]]] = []
        self.starts_c: list[float | None] = []
        self.other_cores: list[float] = []
        self.engines: dict[str, str] = {}

    def take(self, blocks: int | None) -> None:
        """So many blocks, after one process of each that does not count."""
        with console.step("warming up both"):
            for side in "AB":
                self._process(side)
        while len(self.values) < (wanted := blocks or self._needed()):
            with console.step(f"block {len(self.values) + 1} of {wanted}"):
                self.starts_c.append(self._cooled())
                self.values.append([self._process(side) for side in statistic.ORDER])

    def blocks(self) -> dict[str, tuple[Times, ...]]:
        """By metric: the four figures of each block. Only what every process measured, and only times and speeds."""
        every = [process for block in self.values for process in block]
        shared = [name for name in every[0] if all(name in one for one in every) and name.startswith(validity.TIMED)]
        return {name: tuple(_times(name, block) for block in self.values) for name in shared}

    def _needed(self) -> int:
        """Decided once, by the metric whose spread asks for the most."""
        if len(self.values) < statistic.MIN_BLOCKS:
            return statistic.MIN_BLOCKS
        return max(map(statistic.blocks_needed, self.blocks().values()))

    def _process(self, side: str) -> dict[str, float]:
        session, plan = self._sides["AB".index(side)]
        console.tick(side)
        outcome: BenchOutcome = check.bench(session, plan, self._options)
        self.engines = outcome.engines
        if (others := outcome.watch.get("other_cores_mean")) is not None:
            self.other_cores.append(others)
        return summary.processes([outcome], "host")[0].values

    def _cooled(self) -> float | None:
        """The temperature at which a block begins: within START_C of the first, if waiting brings it there."""
        started = time.monotonic()
        while True:
            now = _hottest(self._reader)
            known = [value for value in self.starts_c if value is not None]
            late = time.monotonic() - started > COOL_S
            if now is None or not known or now <= known[0] + statistic.START_C or late:
                return now
            time.sleep(LOOK_S)


def _begin(session: Session, device: Device, plan: CheckPlan, options: Options, manifest: Manifest) -> Found:
    found = check.begin(session, device, plan, options)
    if not found.goldens.passed:
        raise QualityError(
            f"{manifest.name} answers wrongly on this device: {'; '.join(found.goldens.mismatches)}",
            next="a speed of wrong answers means nothing: edgekit check says more",
        )
    return found


def _report(first: Manifest, second: Manifest, found: Found, turns: _Turns) -> AbReport:
    elsewhere = any(foreign(one, found.facts.get("os"), found.facts.get("abi")) for one in (first, second))
    refused = check.disbelieved(found.evidence, elsewhere)
    others = statistics.fmean(turns.other_cores) if turns.other_cores else None
    invalid = statistic.why_invalid(turns.starts_c, others)
    blocks = turns.blocks()
    return AbReport(
        a=_facts(first),
        b=_facts(second),
        device={**found.facts, "evidence": found.evidence},
        tools={"edgekit": __version__, **turns.engines},
        conditions=found.conditions | {"starts_c": turns.starts_c, "other_cores_mean": others, "invalid": invalid},
        ratios=tuple(statistic.judge(name, times, refused, invalid) for name, times in blocks.items()),
        blocks=blocks,
    )


def _facts(manifest: Manifest) -> dict[str, Any]:
    return {
        "name": manifest.name,
        "sha256": manifest.sha256,
        "kind": manifest.model.kind,
        "model": manifest.model.name,
        "target": manifest.target.name,
        "recipe": manifest.recipe.name,
    }


def _times(name: str, block: Sequence[dict[str, float]]) -> Times:
    first, second, third, fourth = (process[name] for process in block)
    return first, second, third, fourth


def _hottest(reader: Reader | None) -> float | None:
    if reader is None:
        return None
    try:
        return thermal.look(reader).hottest_c
    except EdgekitError as error:
        console.detail(f"  no temperature: {error.message}")
        return None
