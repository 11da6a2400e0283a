"""What is refused for the target or for the files beside the weights costs no reading of gigabytes of weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit import build, digests
from edgekit.build import Options
from edgekit.data import digest, jsonable
from edgekit.errors import NotMeasured, UsageError
from edgekit.sources import open_source, source
from tests.unit.sources.tiny_models import save_llama

pytestmark = pytest.mark.unit
PHI2 = {"architectures": ["PhiForCausalLM"], "model_type": "phi"}  # read in float alone, and for the NPU quantized


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The sources that were read through."""
    paths: list[Path] = []

    def path_digest(path: Path) -> str:
        paths.append(path)
        return digests.path_digest(path)

    monkeypatch.setattr(source, "path_digest", path_digest)
    return paths


def test_a_pair_that_is_refused_is_refused_before_the_weights_are_read(tmp_path: Path, read: list[Path]) -> None:
    folder = save_llama(tmp_path / "phi-2", PHI2)
    with pytest.raises(UsageError, match="reads PhiForCausalLM in float alone"):
        build.prepare(str(folder), ["linux-cpu", "android-qnn"], Options(tmp_path, accept_source=True))
    assert read == []


def test_a_source_whose_files_do_not_fit_is_refused_before_its_weights_are_read(
    tmp_path: Path, read: list[Path]
) -> None:
    folder = save_llama(tmp_path / "llama")
    (folder / "chat_template.jinja").write_text("<|user|>{{ messages }}")
    with pytest.raises(NotMeasured, match="the source is bad"):
        build.prepare(str(folder), ["linux-cpu"], Options(tmp_path))
    assert read == []


def test_a_plan_alone_reads_nothing_and_a_build_all_of_it_once(tmp_path: Path, read: list[Path]) -> None:
    folder = save_llama(tmp_path / "llama")
    targets, options = ["linux-cpu", "linux-arm64"], Options(tmp_path, accept_source=True)
    planned = build.prepare(str(folder), targets, options, read=False)
    assert read == [] and len({digest(jsonable(job.plan)) for job in planned}) == 2
    sha256 = digests.path_digest(folder)
    jobs = build.prepare(str(folder), targets, options)
    assert [job.source.model.sha256 for job in jobs] == [sha256, sha256]
    assert read == [folder]
    assert open_source(str(folder)).model.sha256 == sha256
