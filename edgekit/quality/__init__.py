"""The quality gate: a built model beside its source, before a bundle exists.

One file per gate: KIND (of the models it is for), METRICS (what it measures), ADVICE (what to try when one fails) and
`measure(ctx) -> list[Measurement]`. Thresholds are data, in limits.toml.
"""

from __future__ import annotations

import platform
from collections.abc import Collection, Mapping
from dataclasses import replace
from importlib.metadata import version
from typing import Protocol, cast

from edgekit import console, registry, warm
from edgekit.contract.manifest import Quality
from edgekit.errors import BuildError, EdgekitError, NotMeasured, QualityError
from edgekit.model import Kind
from edgekit.quality import _advice
from edgekit.quality._advice import Cause, causes
from edgekit.quality._context import EVIDENCE, Feed, GateContext, Mode, not_measured
from edgekit.quality._inputs import FEW, OTHERS, SAME
from edgekit.quality._limits import fixed, limits_of
from edgekit.quality._outputs import NO_NUMBERS
from edgekit.results import metrics as m
from edgekit.results.measurement import Measurement, Verdict, VerdictWord, weakest
from edgekit.results.metrics import Limit, Metric
from edgekit.verdicts.limits import judge, proof

__all__ = ["Cause", "Feed", "GateContext", "Mode", "advice", "causes", "explain", "gate", "gates"]


NO_REFERENCE = "run the source itself on these inputs: export it anew, or give the inputs that it takes (--calibration)"
UNMEASURED = "mend what the reason says, or build with --quality off: the manifest then says not measured"
RELATIVE = "what its limit is relative to is not known"


class Gate(Protocol):
    """What a gate's module has."""

    KIND: Kind
    METRICS: tuple[Metric, ...]
    ADVICE: str
    INSTEAD: Mapping[Cause, str]  # other advice, by circumstance; none without
    CHILDREN: tuple[str, ...]  # modules of the processes that it starts, unless another gate of its kind names them
    ADAPTED: bool  # it sees what an adapter does; False without
    ON_PROVIDER: bool  # it runs the built model where the bundle does, if need be in a simulator; False without

    def measure(self, ctx: GateContext) -> list[Measurement]:
        """Every metric of METRICS that applies to this model, and others that are only reported."""


def gates(kind: Kind) -> dict[str, Gate]:
    """The gates of a kind by name, in the order in which they run: the cheap and telling ones first."""
    names = registry.members("edgekit.quality")
    found = {name: cast(Gate, registry.member("edgekit.quality", name)) for name in names}
    order = [
        "source",
        "tokenizer",
        "template",
        "rope",
        "logits",
        "simulator",
        "depth",
        "kv_cache",
        "behaviour",
        "structured",
        "labels",
        "tensors",
    ]
    return {
        name: found[name]
        for name in sorted(found, key=lambda name: (order.index(name) if name in order else len(order), name))
        if kind == found[name].KIND
    }


def children(kind: Kind) -> tuple[str, ...]:
    """The modules of the processes that the gates of a kind start: code that a verdict depends on (edgekit.code)."""
    return tuple(dict.fromkeys(child for gate in gates(kind).values() for child in getattr(gate, "CHILDREN", ())))


def gate(ctx: GateContext) -> Quality:
    """Measure a built model against its source and judge it; never raises for what it finds.

    A gate whose engine fails is not measured, with the reason, and so is the whole.
    """
    if ctx.mode == "off":
        notes = ("the gate was switched off", *ctx.notes)
        return Quality(verdict="not-measured", mode="off", evidence=EVIDENCE, notes=notes)
    with warm.kept():
        measurements = _measurements(ctx)
    evidence = weakest([one.evidence for one in measurements] or [EVIDENCE])
    verdicts, note = _judge(ctx, measurements)
    overall = _overall(verdicts)
    doubtful = any(
        entry.metric == m.SOURCE_FAULTS.name and entry.value for entry in measurements
    )  # of a source as accepted
    return Quality(
        verdict=overall,
        proof=proof(overall == "pass", evidence, ctx.elsewhere or doubtful),
        mode=ctx.mode,
        ran_on=_machine() if ctx.ep == "cpu" else f"the simulator of {ctx.ep}, {_machine()}",
        evidence=evidence,
        measurements=tuple(measurements),
        verdicts=verdicts,
        notes=(*([note] if note else []), *ctx.notes),
    )


def with_adapters(ctx: GateContext) -> dict[str, Quality]:
    """What `gate` finds of the bare model, under an empty name, and with each adapter on, by its name."""
    worn = {lora.facts.name: replace(ctx, adapter=lora) for lora in ctx.source.adapters}
    with warm.kept():
        return {name: gate(asked) for name, asked in {"": ctx, **worn}.items()}


def explain(quality: Quality, because: Collection[Cause] = (), adapter: str = "") -> EdgekitError | None:
    """The error of a verdict that is no pass: the failing metric, its value, its limit and what to try.

    Args:
        because: the circumstances that the advice depends on (`causes`).
        adapter: the name of the one that was on; empty for the bare model.
    """
    bad = [verdict for verdict in quality.verdicts if verdict.verdict == quality.verdict]
    if quality.verdict == "pass":
        return None
    if quality.verdict == "fail":
        worn = f" with the adapter {adapter} on" if adapter else ""
        parts = ", ".join(f"{one.metric} is {one.value:g}, {_bound(one.limit)}" for one in bad)
        details = next((one.reason for one in quality.measurements if one.metric == bad[0].metric and one.reason), "")
        return QualityError(
            f"the built model is too far from its source{worn}: {parts}" + (f" ({details})" if details else ""),
            next=f"{advice(bad[0].metric, because)}; a limit is set with --limit {_limit(bad[0])}",
        )
    if quality.verdict == "invalid":
        return NotMeasured(
            f"the source is bad, and to be near it proves nothing: {bad[0].reason}", next=advice(bad[0].metric, because)
        )
    why = f"{bad[0].metric}: {bad[0].reason}" if bad else "; ".join(quality.notes) or "no gate applies to this model"
    if FEW in why or SAME in why:
        return NotMeasured(f"the quality is not measured: {why}", next=OTHERS)
    return NotMeasured(
        f"the quality is not measured: {why}",
        next=NO_REFERENCE if NO_NUMBERS in why else UNMEASURED if bad else "run with --quality fast",
    )


def _measurements(ctx: GateContext) -> list[Measurement]:
    """What each gate of the model's kind finds, up to a source that is bad: whatever is near it is no better."""
    measurements: list[Measurement] = []
    for name, module in gates(ctx.source.model.kind).items():
        if ctx.adapter is not None and not getattr(module, "ADAPTED", False):
            continue
        with console.step(f"quality: {name}"):
            measured = _measure(module, ctx)
        if ctx.ep != "cpu" and getattr(module, "ON_PROVIDER", False):
            measured = [entry.model_copy(update={"evidence": "simulated"}) for entry in measured]
        measurements += measured
        if not all(entry.valid for entry in measurements):
            break
    return measurements


def _measure(module: Gate, ctx: GateContext) -> list[Measurement]:
    try:
        return module.measure(ctx)
    except EdgekitError as error:
        if isinstance(error, BuildError) and error.killed == "somebody":  # which says nothing of the model
            raise
        reason = f"{error.message} ({error.next})" if error.next else error.message
        return [not_measured(metric, reason) for metric in module.METRICS]


def _judge(ctx: GateContext, measurements: list[Measurement]) -> tuple[tuple[Verdict, ...], str]:
    """A verdict on each metric that was to be measured, and on each that somebody set a limit for."""
    table, note = limits_of(ctx)
    found = {one.metric: one for one in measurements}
    verdicts = []
    # In the order of the gates, the telling ones first; then what somebody wants judged and nothing measured.
    for metric in dict.fromkeys([*found, *(ctx.overrides if ctx.adapter is None else ())]):
        if metric == m.SOURCE_FAULTS.name and ctx.source.accepted:
            continue  # reported, never judged
        if metric in table:
            limit = fixed(table[metric], metric, found)
            if limit is None and metric in found and found[metric].value is not None:
                verdicts.append(Verdict(metric=metric, verdict="not-measured", limit=Limit(), reason=RELATIVE))
            else:
                verdicts.append(judge(found.get(metric), metric, limit or Limit()))
    return tuple(verdicts), note


def _overall(verdicts: tuple[Verdict, ...]) -> VerdictWord:
    words = {verdict.verdict for verdict in verdicts}
    if "invalid" in words:
        return "invalid"
    return "fail" if "fail" in words else "pass" if words == {"pass"} else "not-measured"


def _bound(limit: Limit) -> str:
    bounds = (("at least", limit.min), ("at most", limit.max))
    return " and ".join(f"{words} {value:g} asked" for words, value in bounds if value is not None)


def _limit(verdict: Verdict) -> str:
    side = "min" if verdict.limit.min is not None else "max"
    return f"{verdict.metric}:{side}=VALUE"


def advice(metric: str, because: Collection[Cause] = ()) -> str:
    """What to do where this metric is bad, by the gate that measures it."""
    modules = (*gates("llm").values(), *gates("tensor").values())
    measuring = (module for module in modules if metric in (one.name for one in module.METRICS))
    return _advice.of(next(measuring, None), because)


def _machine() -> str:
    engines = ", ".join(f"{name} {version(name)}" for name in ("onnxruntime", "onnxruntime-genai"))
    return f"CPU, {platform.system()} {platform.machine()}, {engines}"
