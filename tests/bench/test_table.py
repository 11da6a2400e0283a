"""The gate's test-bench: real models by known faults, and for each the metric that must fire first (table.py).

A good bundle (weights of twelve bits, as the smallest of these nets need) passes with a fifth of each limit to spare.
Voice activity, pitch and the writer of sound are of CI, the others nightly: make nightly-bench.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit import quality, target
from edgekit.contract.manifest import Quality
from edgekit.kinds.tensor import TensorContract
from edgekit.quality import GateContext
from tests.bench import faults, nets, table

Fault = Callable[[nets.Net, Path, str], Path]
FAULTS: dict[str, Fault] = {
    "constant": lambda net, out, name: faults.constant_answers(net.source.path, out, net.feeds),
    "swapped": lambda net, out, name: faults.swapped_layers(net.source.path, out),
    "preprocessing": lambda net, out, name: faults.wrong_preprocessing(net.source.path, out, name, 255.0),
    "other labels": lambda net, out, name: faults.other_labels(net.source.path, out),
    "two bits": lambda net, out, name: faults.rounded_weights(net.source.path, out, 4),
    "good": lambda net, out, name: faults.rounded_weights(net.source.path, out, 4096),
}
# Where a fault's own words do not fit a kind (table.py says what it means there).
OWN: dict[tuple[str, str], Fault] = {
    ("VAD", "other labels"): lambda net, out, name: faults.other_meaning(net.source.path, out, "Sub", 1.0),
    ("segmentation", "other labels"): lambda net, out, name: faults.other_meaning(net.source.path, out, "Sub", 1.0),
    ("text detector", "other labels"): lambda net, out, name: faults.other_meaning(net.source.path, out, "Sub", 1.0),
    ("pitch", "other labels"): lambda net, out, name: faults.other_meaning(net.source.path, out, "Mul", 2.0),
    # Its largest weights are those of small recurrent nets, which hardly count.
    ("vocoder", "swapped"): lambda net, out, name: faults.swapped_layers(net.source.path, out, axes=4),
    ("embedding", "preprocessing"): lambda net, out, name: faults.unread_tokens(
        net.source.path, out, "input_ids", "attention_mask", BERT_ENDS
    ),
    ("embedding", "other labels"): lambda net, out, name: faults.other_ids(net.source.path, out, "input_ids"),
}
BERT_ENDS = 101, 102  # [CLS] and [SEP]
CI = ("VAD", "pitch", "vocoder")
NETS = [kind for kind in table.KINDS if kind not in table.LANGUAGE]


def marked(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.runtimes if kind in CI else pytest.mark.nightly


def judged(kind: str, fault: str, work: Path) -> Quality:
    """The verdict of int8's limits on the model with this fault."""
    net = nets.opened(table.KINDS[kind])
    model = net.source.model
    name = next((tensor.name for tensor in model.inputs if tensor.dtype == "float32"), "")
    built = OWN.get((kind, fault), FAULTS[fault])(net, work / "built.onnx", name)
    return quality.gate(
        GateContext(
            source=net.source,
            staged=work,
            model_path=built.name,
            contract=TensorContract(inputs=model.inputs, outputs=model.outputs, decode=net.decode),
            target=target.load("linux-cpu"),
            precision="int8",
            work=work / "gate",
            card=net.source.card,
            mode="fast",
            feeds=net.feeds,
        )
    )


@pytest.mark.runtimes
def test_every_kind_has_every_fault_or_a_reason() -> None:
    whole = {(kind, fault) for kind in table.KINDS for fault in table.FAULTS}
    assert set(table.FIRST) | set(table.NONE) == whole and not set(table.FIRST) & set(table.NONE)


@pytest.mark.parametrize(
    ("kind", "fault"), [pytest.param(*row, marks=marked(row[0])) for row in table.FIRST if row[0] in NETS]
)
def test_each_fault_fails_by_its_own_metric(kind: str, fault: str, tmp_path: Path) -> None:
    verdict = judged(kind, fault, tmp_path)
    assert (verdict.verdict, table.first(verdict)) == ("fail", table.FIRST[kind, fault]), verdict.verdicts


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=marked(kind)) for kind in NETS])
def test_a_good_bundle_has_a_fifth_to_spare(kind: str, tmp_path: Path) -> None:
    verdict = judged(kind, "good", tmp_path)
    assert verdict.verdict == "pass", verdict.verdicts
    left = {row.metric: table.spare(row, verdict) for row in verdict.verdicts}
    assert min(left.values()) >= table.FIFTH, left
