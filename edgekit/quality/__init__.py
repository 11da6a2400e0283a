"""The quality gate: a built model beside its source, before a bundle exists.

One file per gate: KIND ("llm" or "tensor"), METRICS (what it measures), ADVICE (what to try when one fails) and
`measure(ctx) -> list[Measurement]`. Thresholds are data, in limits.toml.
"""

from __future__ import annotations

import importlib
import pkgutil
import platform
from importlib.metadata import version
from typing import Any, Protocol, cast

from edgekit import console
from edgekit.bundle.manifest import Quality
from edgekit.errors import EdgekitError, NotMeasured, QualityError
from edgekit.model import Kind
from edgekit.quality._context import EVIDENCE, Feed, GateContext, Mode, not_measured
from edgekit.quality._limits import limits, parse
from edgekit.report.measurement import Measurement, Verdict, VerdictWord, judge, weakest
from edgekit.target import Budget

__all__ = ["Feed", "GateContext", "Mode", "explain", "gate", "gates", "parse"]


class Gate(Protocol):
    """What a gate's module has."""

    KIND: Kind
    METRICS: tuple[str, ...]
    ADVICE: str

    def measure(self, ctx: GateContext) -> list[Measurement]:
        """Every metric of METRICS that applies to this model, and others that are only reported."""


def gates(kind: Kind) -> dict[str, Gate]:
    """The gates of a kind by name, in the order in which they run: the cheap and telling ones first."""
    names = sorted(info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_"))
    found = {name: cast(Gate, importlib.import_module(f"{__name__}.{name}")) for name in names}
    order = ["tokenizer", "template", "logits", "simulator", "depth", "behaviour", "structured"]
    return {
        name: found[name]
        for name in sorted(found, key=lambda name: (order.index(name) if name in order else len(order), name))
        if kind == found[name].KIND
    }


def gate(ctx: GateContext) -> Quality:
    """Measure a built model against its source and judge it; never raises for what it finds.

    A gate whose engine fails is not measured, with the reason, and so is the whole.
    """
    if ctx.mode == "off":
        return Quality(verdict="not-measured", mode="off", evidence=EVIDENCE, notes=("the gate was switched off",))
    measurements: list[Measurement] = []
    for name, module in gates(ctx.source.model.kind).items():
        with console.step(f"quality: {name}"):
            measurements += _measure(module, ctx)
    if ctx.ep != "cpu" and ctx.source.model.kind == "tensor":
        measurements = [one.model_copy(update={"evidence": "simulated"}) for one in measurements]
    evidence = weakest([one.evidence for one in measurements] or [EVIDENCE])
    verdicts, note = _judge(ctx, measurements)
    return Quality(
        verdict=_overall(verdicts),
        mode=ctx.mode,
        ran_on=_machine() if ctx.ep == "cpu" else f"the simulator of {ctx.ep}, {_machine()}",
        evidence=evidence,
        measurements=tuple(measurements),
        verdicts=verdicts,
        notes=(note,) if note else (),
    )


def explain(quality: Quality) -> EdgekitError | None:
    """The error of a verdict that is no pass: the failing metric, its value, its limit and what to try."""
    bad = [verdict for verdict in quality.verdicts if verdict.verdict == quality.verdict]
    if quality.verdict == "pass":
        return None
    if quality.verdict == "fail":
        parts = ", ".join(f"{one.metric} is {one.value:g}, {_bound(one.limit)}" for one in bad)
        details = next((one.reason for one in quality.measurements if one.metric == bad[0].metric and one.reason), "")
        return QualityError(
            f"the built model is too far from its source: {parts}" + (f" ({details})" if details else ""),
            next=f"{_advice(bad[0].metric)}; a limit is set with --limit {_limit(bad[0])}",
        )
    why = f"{bad[0].metric}: {bad[0].reason}" if bad else "; ".join(quality.notes) or "no gate applies to this model"
    return NotMeasured(
        f"the quality is not measured: {why}",
        next=_advice(bad[0].metric) if bad else "run with --quality fast",
    )


def _measure(module: Gate, ctx: GateContext) -> list[Measurement]:
    try:
        return module.measure(ctx)
    except EdgekitError as error:
        reason = f"{error.message} ({error.next})" if error.next else error.message
        return [not_measured(metric, reason) for metric in module.METRICS]


def _judge(ctx: GateContext, measurements: list[Measurement]) -> tuple[tuple[Verdict, ...], str]:
    """A verdict on each metric that was to be measured, and on each that somebody set a limit for."""
    model = ctx.source.model
    card = ctx.card.quality if ctx.card else {}
    table, note = limits(model.kind, ctx.precision, model.parameters, ctx.target.quality, card, ctx.overrides)
    found = {one.metric: one for one in measurements}
    verdicts = []
    # In the order of the gates, the telling ones first; then what somebody wants judged and nothing measured.
    for metric in dict.fromkeys([*found, *ctx.overrides]):
        if metric in table:
            budget = table[metric].budget(metric, found)
            verdicts.append(judge(found.get(metric) if budget else None, metric, budget or Budget()))
    return tuple(verdicts), note


def _overall(verdicts: tuple[Verdict, ...]) -> VerdictWord:
    words = {verdict.verdict for verdict in verdicts}
    return "fail" if "fail" in words else "pass" if words == {"pass"} else "not-measured"


def _bound(limit: Budget) -> str:
    bounds = (("at least", limit.min), ("at most", limit.max))
    return " and ".join(f"{words} {value:g} asked" for words, value in bounds if value is not None)


def _limit(verdict: Verdict) -> str:
    side = "min" if verdict.limit.min is not None else "max"
    return f"{verdict.metric}:{side}=VALUE"


def _advice(metric: str) -> str:
    modules: dict[str, Any] = gates("llm") | gates("tensor")
    return next((module.ADVICE for module in modules.values() if metric in module.METRICS), "try another recipe")


def _machine() -> str:
    engines = ", ".join(f"{name} {version(name)}" for name in ("onnxruntime", "onnxruntime-genai"))
    return f"CPU, {platform.system()} {platform.machine()}, {engines}"
