"""What every gate is given, and what every gate does with it: run a child, write a measurement."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgekit import console, tools
from edgekit.catalog.cards import Card
from edgekit.digests import Snapshot
from edgekit.inputs.labels import NO_TRUTH, Truth
from edgekit.kinds import Contract
from edgekit.results.measurement import Evidence, Measurement
from edgekit.results.metrics import Limit, Metric
from edgekit.sources.facts.adapter import Lora
from edgekit.sources.source import Source
from edgekit.target import Target
from edgekit.wrappers.python.manifest import adapter as file_of

Mode = Literal["default", "fast", "thorough", "off"]
Feed = dict[str, NDArray[Any]]  # one array for each input of the model
EVIDENCE: Evidence = "host"  # every gate runs on the CPU of this machine
TIMEOUT = 4 * 3600.0  # seconds for one child


@dataclass(frozen=True)
class Effort:
    """How much a mode measures.

    Attributes:
        text_tokens, chat_tokens: predictions compared on text and on the source's own answers (MEASURING.md).
        window: predictions of one piece of text: there are sixteen, of as many documents.
        sequential: these are compared until the figures are clear of their limits (_sequential.py).
        prompts: how many prompts are answered.
        new_tokens: the longest answer. At 64 a quarter of SmolLM2's answers were cut, and the share that ends told how
            brief a model is; whether it ever stops shows later.
        classifier_inputs: inputs needed before top-1 agreement is judged.
    """

    text_tokens: int
    chat_tokens: int
    window: int
    sequential: bool
    prompts: int
    new_tokens: int
    classifier_inputs: int


EFFORTS = {
    "fast": Effort(768, 512, window=256, sequential=False, prompts=16, new_tokens=48, classifier_inputs=100),
    "default": Effort(2048, 2048, window=128, sequential=True, prompts=64, new_tokens=160, classifier_inputs=200),
    "thorough": Effort(4096, 4096, window=256, sequential=True, prompts=64, new_tokens=256, classifier_inputs=200),
}


@dataclass(frozen=True)
class GateContext:
    """A built model beside its source.

    Attributes:
        source: the float model.
        staged: the bundle's folder before it is sealed (or a sealed bundle).
        model_path: of the variant: the GenAI folder (llm) or the .onnx file (tensor), relative to `staged`.
        contract: what the manifest promises apps.
        precision: of the recipe; chooses the limits.
        card: the catalogue's card, if the model has one.
        feeds: tensor models: inputs that were not used for calibration.
        truth: tensor models: what the feeds really show, where the user says it.
        text: llm: the user's text, instead of the one that ships with edgekit.
        work: a folder for the gate's own files; the caller removes it.
        overrides: limits from the command line.
        ep, ep_options: other than the CPU it is the accelerator's simulator. It runs a built tensor model and must take
            every node, and the evidence is "simulated"; of a language model it runs samples (simulator.py).
        elsewhere: the CPU here stands in for the target, whose system or provider is another.
        uncompiled: llm: the folder of the same model before it was compiled, whose graphs the CPU runs.
        adapter: llm: what both models have on; the gates that read no adapter (ADAPTED) are left to the bare model.
        prepared: tensor models: the float graph that the quantizer was given, where it is known.
        notes: what else a reader of the findings must know: what was compared on, what was done to the graph.
        read: of the source and the text; what is kept of them for other gates is made while they are unchanged.
    """

    source: Source
    staged: Path
    model_path: str
    contract: Contract
    target: Target
    precision: str
    work: Path
    card: Card | None = None
    mode: Mode = "default"
    feeds: list[Feed] | None = None
    truth: Truth = NO_TRUTH
    text: Path | None = None
    overrides: Mapping[str, Limit] = field(default_factory=dict)
    ep: str = "cpu"
    ep_options: Mapping[str, str] = field(default_factory=dict)
    elsewhere: bool = False
    uncompiled: Path | None = None
    adapter: Lora | None = None
    prepared: Path | None = None
    notes: tuple[str, ...] = ()
    read: tuple[Snapshot, ...] = ()

    @property
    def model(self) -> Path:
        """The built model on this machine, in a form that the CPU runs."""
        return self.uncompiled or self.staged / self.model_path

    @property
    def compiled(self) -> Path | None:
        """The compiled language model, where there is one."""
        return self.staged / self.model_path if self.uncompiled is not None else None

    @property
    def effort(self) -> Effort:
        """How much is measured."""
        return EFFORTS[self.mode]


def run_child(ctx: GateContext, child: str, request: Mapping[str, Any]) -> tuple[Path, dict[str, Any]]:
    """Run edgekit.quality.<child> on the built model in a process of its own: an engine may abort it.

    Returns: the child's folder, where its files are, and its outcome.
    """
    name = ctx.adapter.facts.name if ctx.adapter is not None else ""
    worn = {"adapter": str((ctx.model / file_of(name)).absolute())} if name else {}
    folder = ctx.work / "-".join(filter(None, (child.strip("_"), str(request["action"]), name)))
    folder.mkdir(parents=True, exist_ok=True)
    outcome = tools.job(
        tools.module(f"edgekit.quality.{child}"),
        {"model": str(ctx.model.absolute()), **worn, **request, "out": str(folder.absolute())},
        folder,
        timeout=TIMEOUT,
        what="the built model",
        on_event=lambda event: console.tick(str(event.get("text", ""))),
    )
    return folder, outcome


def label_names(ctx: GateContext) -> list[str]:
    """What the last axis of a tensor model's output stands for, as the staged bundle says it; may be empty."""
    path = getattr(ctx.contract, "labels", None)
    return (ctx.staged / path).read_text(encoding="utf-8").removesuffix("\n").split("\n") if path else []


def runtime_ids(ctx: GateContext, texts: Sequence[str], plain: int) -> list[list[int]]:
    """The runtime's ids: the first `plain` texts are an app's own and begin with what the contract says."""
    prefix = list(getattr(ctx.contract, "prefix_token_ids", ()))
    request = {"action": "tokens", "strings": texts, "prefix": prefix, "plain": plain}
    ids: list[list[int]] = run_child(ctx, "_child_llm", request)[1]["ids"]
    return ids


def measured(
    metric: Metric, value: float, *, n: int, interval: tuple[float, float] | None = None, reason: str = ""
) -> Measurement:
    """A measurement of this machine, rounded to what repeats; a value that is no number is not measured."""
    if not math.isfinite(value):
        return not_measured(metric, reason or "the value is not finite")
    low, high = (_rounded(interval[0]), _rounded(interval[1])) if interval else (None, None)
    return Measurement(
        metric=metric.name, value=_rounded(value), evidence=EVIDENCE, n=n, low=low, high=high, reason=reason
    )


def not_measured(metric: Metric, reason: str) -> Measurement:
    """A metric that could not be measured, and why."""
    return Measurement(metric=metric.name, value=None, evidence=EVIDENCE, reason=reason)


def _rounded(value: float) -> float:
    return float(np.format_float_scientific(value, precision=4)) if math.isfinite(value) else value
