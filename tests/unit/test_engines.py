"""Engines as they are installed, and what of a machine its floats depend on."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit import engines

pytestmark = pytest.mark.unit

X86 = "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu sse sse2 avx avx2 fma avx512f avx512_vnni\n"
OLDER = "processor\t: 0\nflags\t\t: fpu sse sse2 avx avx2 fma\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd evtstrm aes asimddp i8mm bf16\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed distribution: its .dist-info folder."""
    folder = tmp_path / "tiny_engine-1.5.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-engine\nVersion: 1.5\n")
    (folder / "RECORD").write_text("tiny_engine.py,sha256=abc,7\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    engines._installed.cache_clear()
    return folder


def test_two_builds_of_one_version_differ(package: Path) -> None:
    (before,) = engines.installed(["tiny-engine", "absent-engine"]).values()
    (package / "RECORD").write_text("tiny_engine.py,sha256=abd,7\n")
    engines._installed.cache_clear()
    (after,) = engines.installed(["tiny-engine"]).values()
    assert before[0] == after[0] == "1.5" and before[1] != after[1]
    assert engines.versions(["tiny-engine", "absent-engine"]) == {"tiny-engine": "1.5"}


def test_one_without_a_record_has_its_version_alone(package: Path) -> None:
    (package / "RECORD").unlink()
    assert engines.installed(["tiny-engine"]) == {"tiny-engine": ["1.5", ""]}


@pytest.mark.parametrize(
    ("text", "isa"),
    [
        (X86, ["avx", "avx2", "avx512_vnni", "avx512f", "fma"]),
        (OLDER, ["avx", "avx2", "fma"]),
        (ARM, ["asimd", "asimddp", "bf16", "i8mm"]),
    ],
)
def test_a_machine_is_known_by_the_instructions_that_kernels_choose_by(
    text: str, isa: list[str], tmp_path: Path
) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert engines.machine(tmp_path / "cpuinfo")["isa"] == isa


def test_and_by_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = engines.machine()
    assert before["threads"] >= 1
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert engines.machine() != before
    assert engines.machine(Path("/nowhere"))["cpu"] == before["cpu"]
