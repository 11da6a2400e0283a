"""ab(): two bundles on one device in turns, A B B A, until the ratio is known well enough."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from math import inf
from pathlib import Path

from edgekit import __version__, check, console, metering
from edgekit.bundle.runtime import foreign
from edgekit.check import Found, Options
from edgekit.contract.check_plan import BenchOutcome, CheckPlan
from edgekit.contract.manifest import Manifest
from edgekit.contract.result import DeviceFacts
from edgekit.devices import Device, Session
from edgekit.errors import QualityError, UsageError
from edgekit.reading import Reader
from edgekit.verdicts import ab as statistic
from edgekit.verdicts import limits, summary, validity
from edgekit.verdicts.ab import AbConditions, AbReport, Times

COOL_S = 120.0  # a block that would begin warmer than the first waits so long


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
    plan, other = (each.running(plan.bench.turn()) for each in (plan, other))
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
        shared = [name for name in every[0] if all(name in one for one in every) and validity.timed(name)]
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
        if (others := outcome.watch.other_cores_mean) is not None:
            self.other_cores.append(others)
        return summary.processes([outcome], "host")[0].values

    def _cooled(self) -> float | None:
        """The temperature at which a block begins: within START_C of the first, if waiting brings it there."""
        known = [value for value in self.starts_c if value is not None]
        return metering.cooled(self._reader, known[0] + statistic.START_C if known else inf, COOL_S)


def _begin(session: Session, device: Device, plan: CheckPlan, options: Options, manifest: Manifest) -> Found:
    found = check.begin(session, device, plan, options)
    if not found.goldens.passed:
        raise QualityError(
            f"{manifest.name} answers wrongly on this device: {'; '.join(found.goldens.mismatches)}",
            next="a speed of wrong answers means nothing: edgekit check says more",
        )
    return found


def _report(first: Manifest, second: Manifest, found: Found, turns: _Turns) -> AbReport:
    elsewhere = any(foreign(one, found.facts.os, found.facts.abi) for one in (first, second))
    refused = limits.disbelieved(found.evidence, elsewhere)
    others = statistics.fmean(turns.other_cores) if turns.other_cores else None
    invalid = statistic.why_invalid(turns.starts_c, others)
    blocks = turns.blocks()
    return AbReport(
        a=check.bundle_facts(first),
        b=check.bundle_facts(second),
        device=DeviceFacts(**dict(found.facts), evidence=found.evidence),
        tools={"edgekit": __version__, **turns.engines},
        conditions=AbConditions(
            **dict(found.conditions) | {"invalid": tuple(invalid)},
            starts_c=tuple(turns.starts_c),
            other_cores_mean=others,
        ),
        ratios=tuple(statistic.judge(name, times, refused, invalid) for name, times in blocks.items()),
        blocks=blocks,
    )


def _times(name: str, block: Sequence[dict[str, float]]) -> Times:
    first, second, third, fourth = (process[name] for process in block)
    return first, second, third, fourth
