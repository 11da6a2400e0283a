"""Kind: what differs by kind of model, as data and pure functions; and what each part of it has at least.

A kind describes and computes. It takes no path, opens no file and starts no process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import Field

from edgekit.data import Strict
from edgekit.kinds._bench import Bench
from edgekit.kinds._settings import Settings
from edgekit.kinds.variant import Form
from edgekit.model import Model
from edgekit.results.metrics import Metric


class Contract(Strict):
    """What a bundle promises apps."""

    TITLE: ClassVar[str] = "What an app gets"
    COLUMNS: ClassVar[tuple[str, ...]] = ()  # of `rows`; none for pairs

    kind: str

    def rows(self) -> list[tuple[str, ...]]:
        """What it says, for people."""
        return [(name, str(value)) for name, value in self if name != "kind"]

    def files(self) -> tuple[str, ...]:
        """The paths of the bundle's files that it names."""
        return ()


class Generating(Contract):
    """What an app must know of a model that generates: GenAI's configuration says the same."""

    eos_token_ids: tuple[int, ...]
    context_length: int
    max_length: int


class Rule(Strict):
    """How golden outputs are compared."""

    kind: str


class Footprint(Strict):
    """What the model takes on the device. Bytes, predicted from the files and the graph, not measured."""

    evidence: Literal["static"] = "static"
    mapped_bytes: int
    engine_bytes: int | None = Field(
        default=None, description="of the process and the engine, in the peak; none: not measured, and not in it"
    )
    prepacked_bytes: int = Field(default=0, description="a second copy of weights that kernels may make, at worst")
    kv_dtype: str | None = None
    kv_bytes_per_token: int | None = None
    kv_bytes_at_max_length: int | None = None
    logits_bytes_pp512: int | None = None
    predicted_peak_bytes: int


@dataclass(frozen=True)
class Built:
    """What is known of a built model that neither its source nor its target says.

    Attributes:
        template: sha256 of its chat template; None without one.
        labels: the path in the bundle of what its outputs are called; None without names.
        decode: how its outputs are read.
    """

    template: str | None = None
    labels: str | None = None
    decode: str = "none"


@dataclass(frozen=True)
class Kind:
    """A kind of model.

    Attributes:
        name: as manifests, targets and recipes spell it; also its file's.
        title: for people, several of them: "language models".
        work: what a run is counted by.
        settings: its table in a target; the functions below take one.
        contract: what a manifest promises apps.
        bench: the default workload.
        rule: the default rule of goldens.
        form: how it is packed.
        describe: the contract of a built model.
        footprint: what it takes in memory, of the bytes of its weights.
        notes: what a plan tells people besides.
        headlines: the metrics that people ask for first; the first that a gate finds is drawn against the size.
    """

    name: str
    title: str
    work: Literal["token", "inference"]
    settings: type[Settings]
    contract: type[Contract]
    bench: Bench
    rule: Rule
    form: Callable[[Model, Any], Form]
    describe: Callable[[Model, Any, Built], Contract]
    footprint: Callable[[Model, Any, int], Footprint]
    notes: Callable[[Model, Any], tuple[str, ...]]
    headlines: tuple[Metric, ...]
