"""Which limits hold for a model: read from limits.toml, overridden by target, card and command line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import Field

from edgekit.data import Strict, nearest
from edgekit.errors import UsageError
from edgekit.model import Kind
from edgekit.report.measurement import Measurement
from edgekit.target import Budget

AT_SOURCE = "@source"  # "eos_rate@source" is the float model's own eos_rate


class Limit(Strict):
    """A limit as it stands in the table: fixed, or relative to the source's own value."""

    min: float | None = None
    max: float | None = None
    above_source: float | None = Field(default=None, description="at most the source's value plus this")
    below_source: float | None = Field(default=None, description="at least the source's value minus this")
    times: float | None = Field(default=None, description='of "metric@place": at most the limit of "metric" times this')

    def budget(self, metric: str, measurements: Mapping[str, Measurement]) -> Budget | None:
        """The fixed limit; None when the source's value that it is relative to was not measured.

        A relative limit is a rate over answers: where one answer is more than the distance allowed (of fewer than 20
        answers at 0.05), one may differ, or a near-tie in a single answer would decide.
        """
        if self.above_source is None and self.below_source is None:
            return Budget(min=self.min, max=self.max)
        source = measurements.get(metric + AT_SOURCE)
        if source is None or source.value is None:
            return None
        one = 1 / source.n if source.n else 0.0
        return Budget(
            min=None if self.below_source is None else round(source.value - max(self.below_source, one), 6),
            max=None if self.above_source is None else round(source.value + max(self.above_source, one), 6),
        )


def limits(
    kind: Kind, precision: str, parameters: int, *overrides: Mapping[str, Budget]
) -> tuple[dict[str, Limit], str]:
    """The limit of each metric, and a note where the precision has no row of its own.

    Args:
        precision: of the recipe: "int4", "int8", "w8a16", "float16", "float32".
        overrides: weakest first; names of the other kind's metrics are ignored.
    """
    table = _table()[kind]
    rows = [row for row in table["row"] if precision in row["precision"] and row.get("parameters", 0) <= parameters]
    row = max(rows, key=lambda one: one.get("parameters", 0), default=table["row"][0])
    note = "" if rows else f"no limits for precision {precision!r}: those of {row['precision'][0]} hold"
    found = {metric: Limit.model_validate(value) for metric, value in (table["always"] | row).items() if _is(value)}
    for layer in overrides:
        for metric, budget in layer.items():
            if metric in metrics(kind) or metric not in metrics():
                found[metric] = Limit(min=budget.min, max=budget.max)
    for metric, limit in found.items():
        whole = found.get(metric.partition("@")[0])
        if limit.times is not None and whole is not None and whole.max is not None:
            found[metric] = Limit(max=round(whole.max * limit.times, 9))
    return found, note


def metrics(kind: Kind | None = None) -> set[str]:
    """The metrics that the table has limits for, of one kind or all."""
    kinds: Iterable[str] = [kind] if kind else _table()
    rows = [row for name in kinds for row in (*_table()[name]["row"], _table()[name]["always"])]
    return {metric for row in rows for metric, value in row.items() if _is(value)}


def parse(words: Iterable[str], kind: Kind) -> dict[str, Budget]:
    """Limits from the command line, each "METRIC:min=X", "METRIC:max=X" or both with a comma.

    Raises:
        UsageError: not of this form, or a metric that no gate of this kind measures.
    """
    found: dict[str, Budget] = {}
    for word in words:
        metric, _, bounds = word.partition(":")
        if metric not in metrics(kind):
            raise UsageError(
                f"no quality metric {metric!r}{nearest(metric, metrics(kind))}",
                next=f"one of: {', '.join(sorted(metrics(kind)))}",
            )
        try:
            values = {name: float(value) for name, _, value in (part.partition("=") for part in bounds.split(","))}
            found[metric] = Budget.model_validate(values)
        except ValueError:
            raise UsageError(f"{word!r} is not a limit", next="write METRIC:max=0.2 or METRIC:min=0.9") from None
    return found


def _is(value: Any) -> bool:
    return isinstance(value, dict)


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads((files("edgekit.quality") / "limits.toml").read_text(encoding="utf-8"))
