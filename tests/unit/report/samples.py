"""Reports for tests of the formats. They are synthetic, and their device says so; every figure is made up."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from edgekit import kinds
from edgekit.contract.check_plan import BenchOutcome, GoldensOutcome, LoadOutcome
from edgekit.contract.manifest import Quality
from edgekit.contract.result import CheckedBundle, Conditions, DeviceFacts, Report
from edgekit.data import jsonable
from edgekit.results.measurement import EnergyRun, Evidence, Measurement, Verdict
from edgekit.results.metrics import Limit
from edgekit.results.partition import Partition
from edgekit.verdicts import energy, summary, sustain, validity

PARTITION = Partition.model_validate(
    {
        "ep": "qnn",
        "how": "measured",
        "evidence": "simulated",
        "basis": "a session of onnxruntime 1.32.0 with onnxruntime-qnn",
        "graph": "model.onnx",
        "nodes": 120,
        "nodes_taken": 105,
        "work": "macs",
        "coverage": 0.93,
        "macs": 1000,
        "macs_taken": 930,
        "weight_bytes": 5000,
        "weight_bytes_taken": 4700,
        "partitions": 3,
        "round_trips": 2,
        "nodes_by_ep": {"qnn": 105, "cpu": 15},
        "blockers": [
            {"operator": "com.microsoft:GroupQueryAttention", "reason": "not supported", "nodes": 15, "share": 0.07}
        ],
    }
)
QUALITY = Quality.model_validate(
    {
        "verdict": "pass",
        "mode": "default",
        "verdicts": [
            {"metric": "kl_mean", "verdict": "pass", "value": 0.041, "limit": {"max": 0.15}},
            {"metric": "kl_p99", "verdict": "pass", "value": 0.92, "limit": {"max": 1.2}},
            {"metric": "top1_agreement", "verdict": "pass", "value": 0.87, "limit": {"min": 0.8}},
            {"metric": "perplexity_ratio", "verdict": "fail", "value": 1.09, "limit": {"max": 1.08}},
        ],
    }
)


def phone(**changes: Any) -> Report:
    """A language model on a phone that throttles after two minutes, with a battery's power and temperatures."""
    random = np.random.default_rng(4)
    laps = np.arange(1, 121) * 4.0
    fall = np.where(laps > 150, 0.72, 1.0)
    bench = BenchOutcome.model_validate(
        {
            "samples": {
                "decode_tps": (14.0 * fall + random.normal(0, 0.15, 120)).tolist(),
                "ttft_ms@pp128": (410 / fall + random.normal(0, 6, 120)).tolist(),
            },
            "skipped": {},
            "watch": {
                "seconds": 480.0,
                "at_s": [0.0, *laps.tolist()],
                "other_cores": [0.02] * 120,
                "other_cores_mean": 0.02,
                "temperature_c": [31 + 12 * (1 - math.exp(-at / 90)) for at in (0.0, *laps)],
                "clock_mhz": [3300.0, *(2400.0 if at > 150 else 3300.0 for at in laps)],
            },
            "warmup": None,
            "trials": 120,
            "memory": [
                {"phase": "loaded", "mb": 610.0},
                {"phase": "warm", "mb": 700.0},
                {"phase": "sustained", "mb": 702.5},
            ],
            "peak_rss_mb": 901.0,
            "engines": {"onnxruntime": "1.32.0"},
        }
    )
    run = EnergyRun(
        meter="Android power rails (perfetto)",
        scope="the sum of the power rails",
        grade="B",
        tolerance=0.1,
        gross_j=2400.0,
        net_j=1900.0,
        seconds=480.0,
        idle_w=(1.0, 1.05),
        unit="token",
        work=5200.0,
        samples=tuple((float(at), 5.2 if at < 150 else 4.1) for at in range(0, 480, 5)),
    )
    return build(
        "phi-4-mini-android-qnn",
        "llm",
        [bench],
        "device",
        {"model": "Example phone (synthetic)"},
        run=run,
        sustain_s=480.0,
        **changes,
    )


def host(**changes: Any) -> Report:
    """A tensor model on a quiet host: three processes, a long tail."""
    random = np.random.default_rng(5)
    benches = []
    for shift in (1.0, 1.01, 0.99):
        latency = 4.0 * shift + random.gamma(2, 0.08, 1200)
        latency[::150] += random.uniform(5, 30, 8)
        benches.append(
            BenchOutcome.model_validate(
                {
                    "samples": {"latency_ms": latency.tolist()},
                    "skipped": {},
                    "watch": {
                        "seconds": 5.0,
                        "at_s": [0, 1, 2, 3, 4, 5],
                        "other_cores": [0.01] * 5,
                        "other_cores_mean": 0.01,
                    },
                    "warmup": {"steady": True, "seconds": 2.0, "runs_s": [0.05] * 5},
                    "trials": 1200,
                    "memory": [{"phase": "loaded", "mb": 30.0}, {"phase": "measured", "mb": 41.0}],
                    "peak_rss_mb": 70.0,
                    "engines": {"onnxruntime": "1.32.0"},
                }
            )
        )
    budgets = changes.pop("budgets", {"latency_p50_ms": Limit(max=3)})
    return build(
        "ppocrv4-det-linux-cpu", "tensor", benches, "host", {"cpu": "Example CPU (synthetic)"}, budgets, **changes
    )


def llm(**changes: Any) -> Report:
    """A language model on a host, over a grid of prompts and depths."""
    random = np.random.default_rng(6)
    samples = {
        "decode_tps": random.normal(80, 1, 12),
        "itl_ms": 12.5 + random.gamma(2, 0.4, 1500),
        "ttft_ms@pp128": random.normal(300, 5, 12),
        "ttft_ms@pp512": random.normal(1300, 15, 12),
        "decode_tps@d512": random.normal(66, 1, 12),
    }
    bench = BenchOutcome.model_validate(
        {
            "samples": {name: values.tolist() for name, values in samples.items()},
            "skipped": {"pp4096": "it takes 4097 tokens, the bundle's max_length is 4096"},
            "watch": {
                "seconds": 24.0,
                "at_s": list(range(0, 26, 2)),
                "other_cores": [0.02] * 12,
                "other_cores_mean": changes.pop("load", 0.02),
            },
            "warmup": {"steady": True, "seconds": 2.0, "runs_s": [0.1] * 5},
            "trials": 12,
            "memory": [
                {"phase": "loaded", "mb": 200.0},
                {"phase": "warm", "mb": 260.0},
                {"phase": "trial 1", "mb": 280.0},
            ],
            "peak_rss_mb": 400.0,
            "engines": {"onnxruntime": "1.32.0"},
        }
    )
    budgets = changes.pop("budgets", {"decode_tps": Limit(min=20), "power_avg_w": Limit(max=5)})
    return build("smollm2-linux-cpu", "llm", [bench], "host", {"cpu": "Example CPU (synthetic)"}, budgets, **changes)


def build(
    name: str,
    kind: Any,
    benches: list[BenchOutcome],
    evidence: Evidence,
    device: dict[str, Any],
    budgets: dict[str, Limit] | None = None,
    *,
    run: EnergyRun | None = None,
    **conditions: Any,
) -> Report:
    """A report as `edgekit check` puts it together, of benches that nobody ran."""
    from edgekit.verdicts.limits import judge_all

    weighed = run or energy.not_measured(kinds.of(kind).work, "no power sensor was found", "--meter csv:FILE")
    sustained = bool(conditions.get("sustain_s"))
    loads = [LoadOutcome(load_s=0.5 + at / 100, page_cache="warm: not evicted", kind=kind) for at in range(5)]
    why = validity.reasons_of(benches, evidence, sustained=sustained)
    found: list[Measurement] = list(summary.measurements(benches, loads, 130_000_000, evidence))
    found += sustain.measurements(benches[0], evidence) if sustained else ()
    found += energy.measurements(weighed, evidence, sustained=sustained)
    found.append(summary.temperature(benches, None, (), evidence))
    found += summary.shares({"portable": PARTITION}, None)
    measured = validity.mark(found, why)
    verdicts: tuple[Verdict, ...] = judge_all(measured, budgets or {}, evidence, False, weighed)
    return Report(
        bundle=CheckedBundle(
            name=name,
            sha256="a" * 64,
            kind=kind,
            target=name.partition("-")[2],
            recipe="int4_mixed",
            model=name.partition("-")[0],
            model_digest="b" * 64,
            quality=QUALITY,
            partition={"portable": PARTITION},
        ),
        device=DeviceFacts(
            **{"os": "linux", "os_version": "Example Linux 1", "abi": "aarch64", "cores": 8, "ram_mb": 8000} | device,
            evidence=evidence,
        ),
        tools={"edgekit": "0.1.0", "onnxruntime": "1.32.0"},
        conditions=Conditions(
            started="2026-11-24T10:00:00Z",
            run_context="shell",
            runtime="nobody's",
            workload="as made up",
            invalid=tuple(why),
            **conditions,
        ),
        goldens=GoldensOutcome(
            passed=True,
            compared=16,
            worst=0.9995,
            rule="cosine of at least 0.999",
            same_kernels=True,
            recorded_on={"ep": "cpu", "kernels": "x86_64"},
            mismatches=(),
            mismatch_count=0,
        ),
        measurements=measured,
        verdicts=verdicts,
        energy=weighed,
        processes=summary.processes(benches, evidence),
        raw=summary.raw(benches, loads),
        exit_code=0,
    )


def written(path: Path, report: Any) -> Path:
    """A report as a file."""
    path.write_text(json.dumps(jsonable(report)), encoding="utf-8")
    return path
