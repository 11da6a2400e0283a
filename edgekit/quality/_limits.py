"""Which limits hold for a model: read from limits.toml, overridden by target, card and command line."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Any

from edgekit import files
from edgekit.model import Kind
from edgekit.quality._context import GateContext
from edgekit.results.measurement import Measurement
from edgekit.results.metrics import SOURCE, Limit, checked, of_kind


def fixed(limit: Limit, metric: str, measurements: Mapping[str, Measurement]) -> Limit | None:
    """The limit in numbers; None when what it is relative to is not known: the source's value, or another limit.

    A relative limit is a rate over answers: where one answer is more than the distance allowed (of fewer than 20
    answers at 0.05), one may differ, or a near-tie in a single answer would decide.
    """
    if limit.times is not None:
        return None
    if limit.above_source is None and limit.below_source is None:
        return limit
    source = measurements.get(f"{metric}@{SOURCE}")
    if source is None or source.value is None:
        return None
    one = 1 / source.n if source.n else 0.0
    return Limit(
        min=None if limit.below_source is None else round(source.value - max(limit.below_source, one), 6),
        max=None if limit.above_source is None else round(source.value + max(limit.above_source, one), 6),
    )


def limits_of(ctx: GateContext) -> tuple[dict[str, Limit], str]:
    """The limits of what this gate measures, as `limits` gives them."""
    model, card = ctx.source.model, ctx.card.quality if ctx.card else {}
    return limits(model.kind, ctx.precision, model.parameters, ctx.target.quality, card, ctx.overrides)


def limits(
    kind: Kind, precision: str, parameters: int, *overrides: Mapping[str, Limit]
) -> tuple[dict[str, Limit], str]:
    """The limit of each metric, and a note where the precision has no row of its own.

    Args:
        precision: of the recipe: "int4", "int8", "w8a16", "float16", "float32".
        overrides: weakest first; names of the other kind's metrics are ignored.
    """
    table = _table().get(kind, {"always": {}, "row": [{"precision": [precision]}]})  # one that has no defaults
    rows = [row for row in table["row"] if precision in row["precision"] and row.get("parameters", 0) <= parameters]
    row = max(rows, key=lambda one: one.get("parameters", 0), default=table["row"][0])
    note = "" if rows else f"no limits for precision {precision!r}: those of {row['precision'][0]} hold"
    defaults = {metric: value for metric, value in (table["always"] | row).items() if isinstance(value, dict)}
    found = checked({metric: Limit(**value) for metric, value in defaults.items()}, by="gate", kind=kind)
    for layer in overrides:
        found |= of_kind(layer, kind)
    for metric, limit in found.items():
        whole = found.get(metric.partition("@")[0])
        if limit.times is not None and whole is not None and whole.max is not None:
            found[metric] = Limit(max=round(whole.max * limit.times, 9))
    return found, note


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files.resource("quality/limits.toml").read_text(encoding="utf-8"))
