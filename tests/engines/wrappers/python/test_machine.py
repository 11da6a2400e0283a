"""What is read from /proc and /sys, on trees of files as machines have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.wrappers.python import machine
from edgekit.wrappers.python.manifest import host_abi
from tests.unit.wrappers.python.test_machine import Tree

pytestmark = pytest.mark.runtimes


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """tree({"proc/meminfo": ...}): this machine is that tree."""
    monkeypatch.setattr(machine, "PROC", tmp_path / "proc")
    monkeypatch.setattr(machine, "SYS", tmp_path / "sys")

    def write(files: dict[str, str]) -> None:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")

    return write


def test_a_machine_that_tells_nothing(tree: Tree) -> None:
    facts = machine.facts()
    for name in ("model", "ram_mb", "governor", "temperature_c", "soc"):
        assert facts[name] is None, name
    assert facts["hypervisor"] is False and facts["kernels"] == host_abi()
    assert machine.footprint_mb() is None and machine.peak_rss_mb() is None and machine.clock_mhz() is None
    watch = machine.Watch()
    watch.lap()
    assert watch.report()["other_cores"] == [None] and watch.report()["other_cores_mean"] is None
