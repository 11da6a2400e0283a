"""A third kind of model: a file in kinds/, and the source, recipe, gate and runtime's loop that it needs, each a file.

They are added to a copy of edgekit, with one entry for the metric; its commands plan, build, seal, verify, check and
report a model of that kind, and no other file of it is edited.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from tests.added import ROOT, copied
from tests.unit.inputs.nets import save, value

pytestmark = pytest.mark.runtimes

TOY = Path(__file__).parent / "toy"
METRIC = """
ECHO_GAIN = _device("echo_gain", "an echo", "", "higher", "what comes back over what was sent", "speed",
    kinds=("echo",), headline="speed")
"""

TARGET = """
extends = "linux-cpu"
name = "mine"

[echo]
echoes = 7

[echo.budget]
echo_gain = { min = 2 }
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with edgekit in it, to which the files of toy/ are added under their own names, and the metric."""
    folder = tmp_path_factory.mktemp("copy")
    package = copied(folder)
    for path in sorted(TOY.rglob("*.py")):
        place = package / path.relative_to(TOY)
        assert not place.exists()
        place.write_bytes(path.read_bytes())
    table = package / "results" / "metrics.py"
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace("\nTTFT_MS =", f"{METRIC}\nTTFT_MS =", 1), encoding="utf-8")
    weights = {"w": np.eye(8, dtype=np.float32)}
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    save(folder / "net.onnx", nodes, [value("x", [1, 8])], [value("y", [1, 8])], weights)
    (folder / "mine.toml").write_text(TARGET, encoding="utf-8")
    return folder


def run(copy: Path, *words: str, code: int = 0, home: Path | None = None) -> dict[str, Any]:
    """One command of the copy's (or of the edgekit in `home`); what its JSON document has: the data, or the error."""
    path = os.pathsep.join([str(home or copy), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "edgekit", "--json", *words],
        capture_output=True,
        text=True,
        cwd=copy,
        check=False,
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "EDGEKIT_CACHE": str(copy / "cache")},
    )
    assert done.returncode == code, done.stdout + done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return dict(document["data"] or document["error"])


def test_a_third_kind_goes_all_the_way(copy: Path) -> None:
    asked = ("echo:net.onnx", "--target", "mine.toml", "--limit", "nonfinite_outputs:max=0")
    planned = json.dumps(run(copy, "build", *asked, "-o", "out", "--dry-run"))
    assert "it is heard 7 times" in planned and "the graph's own bytes" in planned
    run(copy, "build", *asked, "-o", "out")
    bundle = "out/net-mine"
    manifest = json.loads((copy / bundle / "edgekit.json").read_text(encoding="utf-8"))
    assert manifest["model"]["kind"] == manifest["contract"]["kind"] == "echo" and manifest["contract"]["width"] == 8
    assert manifest["memory"]["predicted_peak_bytes"] == 7 * manifest["memory"]["mapped_bytes"]
    assert [judged["verdict"] for judged in manifest["quality"].values()] == ["pass"]
    run(copy, "verify", bundle)
    run(copy, "check", bundle, "-o", "result.json", code=10)  # under its target's budget
    report = json.loads((copy / "result.json").read_text(encoding="utf-8"))
    (measured,) = [it for it in report["measurements"] if it["metric"] == "echo_gain"]
    assert measured["value"] == 1 and measured["n"] == 40 and report["bundle"]["kind"] == "echo"
    assert [(it["metric"], it["verdict"]) for it in report["verdicts"]] == [("echo_gain", "fail")]
    assert report["goldens"]["passed"] and report["goldens"]["rule"] == "off by 0.001 at most"
    assert report["conditions"]["workload"] == "40 calls"
    run(copy, "report", "result.json", "-o", "page.html")
    page = (copy / "page.html").read_text(encoding="utf-8")
    assert "echo_gain" in page and "an echo" in page
    without = run(copy / "out", "verify", "net-mine", code=6, home=ROOT)  # edgekit itself has no such kind
    assert "kind" in without["message"]
