"""edgekit-runner for ARM64, really run: under qemu, against the aarch64 wheels' libraries, in an ARM64 Debian root."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engines.wrappers.conformance import Answers, axis, changed
from tests.engines.wrappers.runtimes import Program
from tests.peers.arm64_root import TOOLS, Root, arm64_root

pytestmark = pytest.mark.cross


@pytest.fixture
def root(need_tool: Callable[[str], Path], need_root: None) -> Root:
    for name in TOOLS:
        need_tool(name)
    return arm64_root()


@pytest.fixture
def runtime(root: Root, arm64_runner: Path) -> Program:
    return Program(root.command(arm64_runner))


class TestAnswers(Answers):
    same_kernels = False


def test_it_is_taken_for_what_it_is(runtime: Program, tensor_bundle: Path) -> None:
    facts = runtime.act("identify", tensor_bundle).outcome["device"]
    assert facts["abi"] == "aarch64" and facts["kernels"] == "aarch64-dotprod"
    assert facts["hypervisor"] is True  # an ARM64 program on another kernel is emulated


def test_a_bundle_for_another_cpu_is_refused(runtime: Program, tensor_bundle: Path, tmp_path: Path) -> None:
    error = runtime.act("load", changed(tensor_bundle, tmp_path, axis("abi", ["x86_64"]))).error
    assert (error["code"], error["axis"]) == ("bundle", "abi")
    assert "this machine is aarch64" in error["message"]


def test_the_python_runtime_runs_there_too(root: Root, llm_bundle: Path) -> None:
    paths = f"{root.path / 'site'}:{llm_bundle / 'runtime/python'}"
    python = Program(root.command("/usr/bin/python3.11", "-P", "-m", "edgekit_runtime"), {"PYTHONPATH": paths})
    found = python.act("goldens", llm_bundle).outcome["goldens"]
    assert found["passed"] and not found["same_kernels"]
    assert python.act("identify", llm_bundle).outcome["device"]["hypervisor"] is True
