"""The gate's test-bench: real models by known faults, and for each the metric that must fire first.

A good bundle (weights of twelve bits, as the smallest of these nets need) passes with a fifth of each limit to spare.
Voice activity and pitch are of CI; the others are nightly: a classifier of lines, detection and recognition of text,
and notes. Language models by the same faults: tests/olive/test_llm_gates.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit import quality, sources, target
from edgekit.contract.manifest import Quality
from edgekit.inputs.feeds import Feed
from edgekit.inputs.synthetic import probe_feeds
from edgekit.kinds.tensor import TensorContract
from edgekit.quality import GateContext
from tests.bench import faults

FAULTS: dict[str, Callable[[Path, Path, list[Feed], str], Path]] = {
    "constant": lambda source, out, feeds, name: faults.constant_answers(source, out, feeds),
    "swapped": lambda source, out, feeds, name: faults.swapped_layers(source, out),
    "preprocessing": lambda source, out, feeds, name: faults.wrong_preprocessing(source, out, name, 255.0),
    "other labels": lambda source, out, feeds, name: faults.other_labels(source, out),
    "two bits": lambda source, out, feeds, name: faults.rounded_weights(source, out, 4),
}
SOUND = {"good": lambda source, out, feeds, name: faults.rounded_weights(source, out, 4096)}
CI = pytest.mark.runtimes
NIGHTLY = pytest.mark.nightly
KINDS = {"silero-vad": CI, "swift-f0": CI}
KINDS |= dict.fromkeys(("ppocrv4-cls", "ppocrv4-det", "ppocrv4-rec", "basic-pitch"), NIGHTLY)
# Of each kind and fault the metric that must fire before all others. A voice or a pitch has no labels to be others; the
# largest weights of one shape in basic-pitch are the two halves of complex filters, of which only the sum counts.
FIRST = {
    ("silero-vad", "constant"): "cosine_mean",
    ("silero-vad", "swapped"): "cosine_mean",
    ("silero-vad", "preprocessing"): "cosine_mean",
    ("silero-vad", "two bits"): "cosine_mean",
    ("swift-f0", "constant"): "cosine_mean",
    ("swift-f0", "swapped"): "cosine_mean",
    ("swift-f0", "preprocessing"): "cosine_mean",
    ("swift-f0", "two bits"): "cosine_mean",
    ("ppocrv4-cls", "constant"): "cosine_mean",
    ("ppocrv4-cls", "swapped"): "cosine_mean",
    ("ppocrv4-cls", "preprocessing"): "cosine_mean",
    ("ppocrv4-cls", "other labels"): "cosine_mean",
    ("ppocrv4-cls", "two bits"): "cosine_mean",
    ("ppocrv4-rec", "constant"): "cosine_mean",
    ("ppocrv4-rec", "swapped"): "cosine_mean",
    ("ppocrv4-rec", "preprocessing"): "cosine_mean",
    ("ppocrv4-rec", "two bits"): "cosine_mean",
    ("ppocrv4-det", "swapped"): "cosine_mean",
    ("ppocrv4-det", "preprocessing"): "cosine_mean",
    ("basic-pitch", "constant"): "cosine_mean",
    ("basic-pitch", "preprocessing"): "cosine_p05",  # it normalizes what it hears
    ("basic-pitch", "two bits"): "cosine_mean",
}
COUNT = 48


def judged(kind: str, fault: str, work: Path) -> Quality:
    """The verdict of int8's limits on the model with this fault."""
    source = sources.open_source(kind)
    feeds, _ = probe_feeds(source.model, source.card, source.path)
    assert feeds is not None and source.card is not None
    feeds = feeds[:COUNT]
    name = next(tensor.name for tensor in source.model.inputs if tensor.dtype == "float32")
    built = {**FAULTS, **SOUND}[fault](source.path, work / "built.onnx", feeds, name)
    contract = TensorContract(inputs=source.model.inputs, outputs=source.model.outputs, decode=source.card.decode)
    return quality.gate(
        GateContext(
            source=source,
            staged=work,
            model_path=built.name,
            contract=contract,
            target=target.load("linux-cpu"),
            precision="int8",
            work=work / "gate",
            card=source.card,
            mode="fast",
            feeds=feeds,
        )
    )


@pytest.mark.parametrize(("kind", "fault"), [pytest.param(*row, marks=KINDS[row[0]]) for row in FIRST])
def test_each_fault_fails_by_its_own_metric(kind: str, fault: str, tmp_path: Path) -> None:
    verdict = judged(kind, fault, tmp_path)
    failed = [row.metric for row in verdict.verdicts if row.verdict == "fail"]
    assert verdict.verdict == "fail" and failed[0] == FIRST[kind, fault], verdict.verdicts


def spare(row: Any) -> float:
    """How much of its limit a verdict leaves unused: of 1 for what cannot be above 1, of the limit itself otherwise."""
    if row.limit.max is not None:
        return 1 - row.value / row.limit.max if row.limit.max else 1 - row.value
    if row.limit.min > 1:
        return row.value / row.limit.min - 1
    return 1 - (1 - row.value) / (1 - row.limit.min)


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=mark) for kind, mark in KINDS.items() if kind != "ppocrv4-det"]
)
def test_a_good_bundle_has_a_fifth_to_spare(kind: str, tmp_path: Path) -> None:
    verdict = judged(kind, "good", tmp_path)
    assert verdict.verdict == "pass", verdict.verdicts
    assert all(spare(row) >= 0.2 for row in verdict.verdicts), {row.metric: spare(row) for row in verdict.verdicts}
