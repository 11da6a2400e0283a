"""Partition: which execution provider takes which part of a graph, how that is known, and what stands in the way."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edgekit.data import Strict
from edgekit.results.measurement import Evidence


class Blocker(Strict):
    """One operator that the provider leaves, for one reason."""

    operator: str = Field(description='with its domain, "ai.onnx:Softmax"')
    reason: str
    nodes: int
    share: float = Field(description="of the graph's work, 0 to 1")
    rewrite: str = Field(default="", description="the change of the model that would help, where one is known")
    examples: tuple[str, ...] = Field(default=(), description="names of the first few nodes")


class Partition(Strict):
    """What one provider takes of one graph. Work is multiply-accumulates, or weight bytes where a size is unknown."""

    ep: str
    ep_options: dict[str, str] = {}
    how: Literal["predicted", "measured"]
    evidence: Evidence
    basis: str = Field(description="the tables and sources of a prediction, or the session that was measured")
    graph: str = Field(description="the graph whose nodes are counted")
    nodes: int
    nodes_taken: int
    work: Literal["macs", "bytes", "nodes"] = Field(description="what coverage counts")
    coverage: float = Field(description="share of the work that the provider takes, 0 to 1")
    macs: int | None = Field(default=None, description="of the graph; None where a size is not known")
    macs_taken: int | None = None
    weight_bytes: int
    weight_bytes_taken: int
    partitions: int = Field(description="separate pieces of the graph that the provider runs")
    round_trips: int = Field(description="times in a row the data leaves the provider and comes back")
    nodes_by_ep: dict[str, int] = Field(description="by provider; those the provider leaves are the CPU's")
    inserted: dict[str, int] = Field(default={}, description="nodes that ONNX Runtime added itself, by provider")
    blockers: tuple[Blocker, ...] = Field(default=(), description="most work first")
    notes: tuple[str, ...] = ()
