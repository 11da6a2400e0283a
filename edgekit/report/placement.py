"""The share of the work that an execution provider takes, from what the build wrote down of a bundle's placement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from edgekit.report.measurement import Measurement, weakest
from edgekit.report.partition import Partition
from edgekit.report.summary import rounded


def read(recorded: Any) -> list[Partition]:
    """What a manifest holds of one variant: one placement, or one for each graph; none of a newer edgekit."""
    every = recorded if isinstance(recorded, list) else [recorded] if recorded else []
    try:
        return [Partition.model_validate(one, extra="ignore") for one in every]
    except ValidationError:
        return []


def shares(partition: Mapping[str, Any], variant: str | None) -> tuple[Measurement, ...]:
    """ep_share of the variant that ran; where nobody chose one of several, that of each (ep_share@NAME)."""
    wanted = [name for name in partition if variant is None or name == variant]
    found = []
    for name in wanted:
        graphs = read(partition[name])
        if graphs:
            metric = "ep_share" if len(wanted) == 1 else f"ep_share@{name}"
            found.append(_share(metric, graphs))
    return tuple(found)


def coverage(graphs: list[Partition]) -> float:
    """The share of the work of several graphs: by multiply-accumulates where all are known, else by weight bytes."""
    known = [(one.macs_taken, one.macs) for one in graphs if one.macs and one.macs_taken is not None]
    if len(known) == len(graphs):
        return sum(taken or 0 for taken, _ in known) / sum(macs or 0 for _, macs in known)
    whole = sum(one.weight_bytes for one in graphs)
    if whole:
        return sum(one.weight_bytes_taken for one in graphs) / whole
    return sum(one.nodes_taken for one in graphs) / max(1, sum(one.nodes for one in graphs))


def _share(metric: str, graphs: list[Partition]) -> Measurement:
    first = graphs[0]
    reason = f"{first.how} for {first.ep}: {first.basis}"
    evidence = weakest(one.evidence for one in graphs)
    return Measurement(metric=metric, value=rounded(coverage(graphs)), evidence=evidence, n=len(graphs), reason=reason)
