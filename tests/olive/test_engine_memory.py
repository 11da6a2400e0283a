"""What a process with the engine takes with next to no model, as targets/linux-cpu.toml says it for predictions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit import target
from tests.e2e.command import edgekit
from tests.golden import manifests
from tests.olive import tiny_llm

pytestmark = pytest.mark.olive


@pytest.mark.parametrize(
    ("kind", "make", "recipe"), [("tensor", manifests.net, "keep"), ("llm", tiny_llm.llama, "int4_rtn")]
)
def test_the_engines_memory_is_what_a_check_of_a_tiny_model_measures(
    kind: str, make: Callable[[Path], Path], recipe: str, tmp_path: Path
) -> None:
    """At most a third more; less where other processes share the engine's pages, which count in proportion then."""
    source = make(tmp_path / ("net.onnx" if kind == "tensor" else "llama"))
    options = ("--recipe", recipe, "--quality", "off", "-o", tmp_path / "out")
    (built,) = edgekit("build", source, "--target", "linux-cpu", *options)["data"]["bundles"]
    report = edgekit("check", built["path"], "--quick")["data"]["report"]
    measured = {figure["metric"]: figure.get("value") for figure in report["measurements"]}["peak_footprint_mb"]
    stated = target.load("linux-cpu").settings(kind).memory.engine_bytes
    assert stated is not None and stated / 3 < measured * 1e6 < stated * 4 / 3
    memory = edgekit("inspect", built["path"])["data"]["manifest"]["memory"]
    assert memory["engine_bytes"] == stated and memory["predicted_peak_bytes"] > stated
