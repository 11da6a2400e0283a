"""The quality claims on a real model, measured again: hours of two cores (make nightly-quality).

The rotated SmolLM2 of benchmarks/quality; LLAMA_PYTHON names an interpreter with llama-cpp-python (see its README).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from edgekit import recipes, search
from edgekit.build import Options
from edgekit.quality import _limits
from edgekit.recipes import Candidate
from tests import needs

pytestmark = pytest.mark.nightly
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "quality"


@pytest.fixture(scope="module")
def bench() -> Any:
    sys.path.insert(0, str(BENCHMARK))
    import run

    return run


def passes(row: dict[str, Any], precision: str) -> bool:
    """Whether a row of the benchmark is within the gate's limits for a model of this size."""
    limits, _ = _limits.limits("llm", precision, 135_000_000)
    return all(
        (limits[metric].max is None or row[metric] <= limits[metric].max)
        and (limits[metric].min is None or row[metric] >= limits[metric].min)
        for metric in ("kl_mean", "kl_p99", "top1_agreement")
    )


def test_the_anchors_are_on_the_right_side_of_the_defaults(bench: Any) -> None:
    source = bench.rotated()
    reference = bench.said(source)
    assert not passes(bench.edgekit_row("int4_rtn", source, reference), "int4")
    if not os.environ.get("LLAMA_PYTHON"):
        needs.unavailable("LLAMA_PYTHON names no interpreter with llama-cpp-python, for the other anchors")
    k_mix, eight = bench.llama_rows(["Q4_K_M", "Q8_0"], source, reference)
    assert passes(k_mix, "int4")
    assert passes(eight, "int8")


def test_a_size_is_kept_and_nearer_than_a_k_mix_of_that_size(bench: Any) -> None:
    source = bench.rotated()
    sized = bench.edgekit_row("125 MB", source, bench.said(source))
    assert 0.98 * 125 < sized["mb"] < 125
    assert sized["kl_mean"] < 0.7 * 0.101  # llama.cpp's Q4_K_M of 124.9 MB (benchmarks/quality/results)


def test_auto_picks_different_recipes_for_weights_on_and_off_the_grid(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The published linear layers came as Q4_1: int4 with 8 bits where it matters is near them there alone.
    rungs = (Candidate("int4_rtn"), Candidate("int4_mixed"), Candidate("int8_rtn"))
    monkeypatch.setattr(recipes, "candidates", lambda kind: rungs)
    options = Options(out=tmp_path, quality="fast", limits=("kl_mean:max=0.06",))
    on, off = (search.climb(ref, "linux-cpu", options) for ref in (bench.MODEL, str(bench.rotated().path)))
    assert [rung.outcome for rung in on.rungs] == ["fail", "pass"], on.rows()
    assert [rung.outcome for rung in off.rungs] == ["fail", "fail", "pass"], off.rows()
    for ladder, chosen in ((on, "int4_mixed"), (off, "int8_rtn")):
        assert ladder.built is not None and ladder.rungs[-1].label == chosen
        assert ladder.built.manifest.judged.verdict == "pass"
    again = search.climb(bench.MODEL, "linux-cpu", options)
    assert again.built is not None and again.built.unchanged
    assert again.plain() == on.plain()
