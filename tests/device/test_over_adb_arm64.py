"""A phone that is an ARM64 machine: the real adb client, Android's shell, and ARM64 programs under qemu."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.check import Options, check
from edgekit.contract.manifest import Manifest
from edgekit.devices import open_device
from edgekit.results.metrics import Limit
from tests.peers.arm64_root import TOOLS, arm64_root
from tests.peers.phone import Phone, arm64_programs, arm64_runs_with, make_root

pytestmark = pytest.mark.cross

Bundle = tuple[Path, Manifest]
OPTIONS = Options(budgets={"latency_p50_ms": Limit(max=10_000)}, quick=True)


@pytest.fixture(scope="session")
def arm64() -> Path:
    return arm64_root().path


@pytest.fixture
def phone(
    need_tool: Callable[[str], Path], plug_in: Callable[..., Phone], tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[[bool], Phone]:
    """phone(python): an ARM64 phone with Python and the engines, or without."""
    qemu = [need_tool(name) for name in TOOLS][TOOLS.index("qemu-aarch64-static")]
    arm64: Path = request.getfixturevalue("arm64")

    def make(python: bool) -> Phone:
        programs = arm64_programs(arm64, qemu)
        if not python:
            del programs["python3"]
        make_root(tmp_path / "phone" / "root", programs=programs)
        env = {} if python else {"EDGEKIT_RUN_WITH": arm64_runs_with(arm64, qemu)}
        return plug_in(tmp_path / "phone" / "root", env=env)

    return make


@pytest.mark.parametrize(
    "python", [pytest.param(True, marks=pytest.mark.nightly, id="Python"), pytest.param(False, id="edgekit-runner")]
)
def test_a_check_on_an_arm64_phone(
    phone: Callable[[bool], Phone], need_runner: Callable[[str], Path], bundle: Bundle, python: bool
) -> None:
    """The goldens of this machine hold there, and speed there is nobody's business."""
    if not python:
        need_runner("linux-aarch64")
    board = phone(python)
    report = check(bundle[0], open_device(board.address), OPTIONS)
    assert report.goldens.passed and report.goldens.compared == 3
    assert report.device.abi == "aarch64" and report.device.evidence == "emulated"
    verdict = next(one for one in report.verdicts if one.metric == "latency_p50_ms")
    assert verdict.verdict == "not-measured"
    assert sorted(path.name for path in board.base.iterdir()) == ["bundles"]
