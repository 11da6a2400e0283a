"""The verdict on a bad source: invalid before anything else is measured, reported alone where it is accepted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit import quality
from edgekit.errors import NotMeasured
from edgekit.quality import GateContext, _reference, source
from edgekit.quality._context import measured
from edgekit.results import metrics as m
from tests.unit.quality.test_llm_limits import context

pytestmark = pytest.mark.unit
VOCABULARY = 8
CHAT = {"answers": [[1, 2]] * 16, "eos_token_ids": [2], "end_token_id": 2, "unknown": [], "rendered": [{"text": "x"}]}


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the reference says, to be changed: a chat, nats a token on text, and with and without rotary settings."""
    said: dict[str, Any] = {"chat": dict(CHAT), "nll": 1.0, "rotary": (1.0, 1.0), "kind": None}

    def logits(ctx: GateContext, look: int) -> Path:
        windows = [{"ids": [1] * 11, "start": 0, "kind": kind} for kind in ("chat", "text")]
        (tmp_path / "windows.json").write_text(json.dumps(windows))
        np.save(tmp_path / "nll.npy", np.repeat([9.0, said["nll"]], 10).astype(np.float32))
        return tmp_path

    monkeypatch.setattr(_reference, "chat", lambda ctx: said["chat"])
    monkeypatch.setattr(_reference, "logits", logits)
    monkeypatch.setattr(_reference, "rotary", lambda ctx: said["rotary"])
    monkeypatch.setattr(_reference, "rope_kind", lambda ctx: said["kind"])
    return said


def test_a_good_source_shows_nothing(asked: dict[str, Any]) -> None:
    (result,) = source.measure(context())
    assert (result.metric, result.value, result.valid, result.reason) == ("source_faults", 0, True, "")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nll": np.log(VOCABULARY / 2) + 0.01}, "its perplexity on text is 4.0"),
        ({"chat": CHAT | {"answers": [[1, 1, 1]] * 16}}, "none of 16 answers ends within 3 tokens"),
        ({"chat": CHAT | {"unknown": ["<|end|>"]}}, "its chat template writes <|end|>"),
        ({"kind": "linear", "rotary": (1.2, 1.0)}, "its rotary settings (linear) make short text worse"),
    ],
)
def test_each_fault_is_named(asked: dict[str, Any], change: dict[str, Any], message: str) -> None:
    asked |= change
    (result,) = source.measure(context())
    assert result.value == 1 and not result.valid and message in result.reason


@pytest.mark.parametrize(
    "change",
    [
        {"nll": np.log(VOCABULARY / 2) - 0.01},
        {"chat": CHAT | {"answers": [[1, 1, 1]] * 15}},
        {"chat": CHAT | {"answers": [[1, 1, 1]] * 16, "rendered": [None]}},
        {"chat": CHAT | {"answers": [[1, 1, 1]] * 16, "rendered": [{"text": "<think>"}]}},
        {"chat": CHAT | {"answers": [[1, 1, 1]] * 16, "end_token_id": 5}},
        {"chat": CHAT | {"answers": [[1, 1, 1]] * 15 + [[1, 2]]}},
        {"kind": "longrope", "rotary": (1.09, 1.0)},
        {"kind": None, "rotary": (9.0, 1.0)},
    ],
)
def test_what_may_be_right_is_no_fault(asked: dict[str, Any], change: dict[str, Any]) -> None:
    asked |= change
    assert source.measure(context())[0].value == 0


def test_a_bad_source_is_invalid_and_nothing_else_is_measured(
    asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked["nll"] = 9.0
    ran: list[str] = []
    others = {name: gate for name, gate in quality.gates("llm").items() if name == "source"}

    class Other:
        KIND, METRICS, ADVICE = "llm", (m.KL_MEAN,), ""

        @staticmethod
        def measure(ctx: GateContext) -> list[Any]:
            ran.append("other")
            return []

    monkeypatch.setattr(quality, "gates", lambda kind: {**others, "other": Other} if kind == "llm" else {})
    result = quality.gate(context(mode="fast"))
    assert (result.verdict, result.proof, ran) == ("invalid", "built", [])
    error = quality.explain(result)
    assert isinstance(error, NotMeasured) and error.exit_code == 11
    assert "the source is bad" in error.message and "--accept-source" in error.next
    plain = context()
    accepted = quality.gate(context(mode="fast", source=replace(plain.source, accepted=True)))
    assert ran == ["other"] and all(entry.metric != "source_faults" for entry in accepted.verdicts)
    assert any(entry.metric == "source_faults" and entry.value == 1 for entry in accepted.measurements)


@pytest.mark.parametrize(
    ("faults", "elsewhere", "mode", "word"),
    [
        (0, False, "fast", "works"),
        (0, True, "fast", "ran on CPU"),
        (1, False, "fast", "ran on CPU"),
        (0, False, "off", "built"),
    ],
)
def test_a_gate_says_what_it_shows(
    monkeypatch: pytest.MonkeyPatch, faults: int, elsewhere: bool, mode: str, word: str
) -> None:
    class Passes:
        KIND, METRICS, ADVICE = "llm", (m.SOURCE_FAULTS, m.TOKEN_MISMATCH_RATE), ""

        @staticmethod
        def measure(ctx: GateContext) -> list[Any]:
            return [measured(m.SOURCE_FAULTS, faults, n=1), measured(m.TOKEN_MISMATCH_RATE, 0, n=1)]

    monkeypatch.setattr(quality, "gates", lambda kind: {"passes": Passes})
    accepted = replace(context().source, accepted=bool(faults))
    assert quality.gate(context(mode=mode, source=accepted, elsewhere=elsewhere)).proof == word


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({}, None),
        ({"rope_theta": 10000.0, "rope_scaling": None}, None),
        ({"rope_theta": 5e6}, None),
        ({"rope_theta": 10}, "rope_theta 10"),
        ({"rope_theta": 1e12}, "rope_theta 1e+12"),
        ({"rope_theta": "10"}, None),
        ({"rope_theta": 10, "rope_scaling": {"rope_type": "linear", "factor": 2}}, "linear"),
    ],
)
def test_settings_that_no_published_model_has_are_compared_with_plain_ones(
    tmp_path: Path, config: dict[str, Any], kind: str | None
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert _reference.rope_kind(context(source=replace(context().source, path=tmp_path))) == kind
