"""A metric is one entry, in a copy of edgekit whose other files stay as they are (whole files: unit/test_added.py)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.added import ROOT, block, copied

pytestmark = pytest.mark.runtimes

SPEAK = """
import importlib.util, json, sys
from pathlib import Path
from edgekit import target
from edgekit.verdicts import baseline, validity
from edgekit.report import formats
from edgekit.results import metrics as m
from tests.unit.report import samples

name = "latency_p95_ms"
Path("mine.toml").write_text('extends = "linux-cpu"\\n[tensor.budget]\\n' + name + " = { max = 0.001 }\\n")
report = samples.host(budgets=target.load("mine.toml").tensor.budget)
marked = validity.mark(report.measurements, ["another process was busy"])
spec = importlib.util.spec_from_file_location("tables", sys.argv[1])
tables = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tables)
print(json.dumps({
    "files": m.__file__,
    "measured": [one.model_dump() for one in report.measurements if one.metric == name],
    "verdicts": [one.verdict for one in report.verdicts],
    "valid": [one.valid for one in marked if one.metric == name],
    "baseline": list(baseline.values_of([report])),
    "page": name in formats.render("html", [report]),
    "docs": [line for line in tables.table("check").splitlines() if name in line],
    "budget": str(m.parse_limits([name + ":max=3"], by="check", kind="tensor")[name]),
}))
"""


def run(copy: Path, script: str, *words: str) -> dict[str, Any]:
    path = os.pathsep.join([str(copy), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        capture_output=True,
        text=True,
        cwd=copy,
        check=False,
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_metric_is_one_entry(tmp_path: Path) -> None:
    copy = copied(tmp_path).parent
    table = copy / "edgekit" / "results" / "metrics.py"
    text = table.read_text(encoding="utf-8")
    entry = block("Add a metric")
    table.write_text(text.replace("LATENCY_P99_MS =", f"{entry}\nLATENCY_P99_MS =", 1), encoding="utf-8")
    found = run(copy, SPEAK, str(ROOT / "docs" / "tables.py"))
    assert Path(found["files"]) == table
    (measured,) = found["measured"]
    assert measured["value"] > 0 and measured["valid"]
    assert found["verdicts"] == ["fail"] and found["valid"] == [False]  # by a target's budget; a busy machine
    assert "latency_p95_ms" in found["baseline"] and found["page"] and len(found["docs"]) == 1
    assert found["budget"] == "<= 3"
