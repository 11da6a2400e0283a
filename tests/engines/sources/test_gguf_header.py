"""A plan of a .gguf file comes from its header: the facts of the converted folder, without its weights and packages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit import build, sources, target
from edgekit.errors import SourceError
from edgekit.project.pairs import tuned
from tests import needs
from tests.unit.jobs.test_gguf import BF16, Q8_0, random_weights, spm_vocabulary, write

gguf, _ = map(needs.module, ("gguf", "transformers"))

pytestmark = pytest.mark.olive
F16 = gguf.GGMLQuantizationType.F16
HEAVY = ("accelerate", "gguf", "huggingface_hub", "olive", "optimum", "peft", "safetensors", "torch", "transformers")


@pytest.fixture
def light(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children find packages in the place of the heavy ones that cannot be imported."""
    for name in HEAVY:
        package = tmp_path / "light" / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(f"raise ImportError('{name} is not of the light core')\n")
    monkeypatch.syspath_prepend(str(tmp_path / "light"))


def facts(path: Path, *, fetched: bool) -> dict[str, Any]:
    source = sources.open_source(str(path), fetched=fetched, whole=False)
    return source.model.model_dump()


@pytest.mark.parametrize(
    ("kinds", "vocabulary"),
    [
        (lambda name, data: None, None),
        (lambda name, data: Q8_0 if data.ndim > 1 else None, spm_vocabulary),
        (lambda name, data: F16 if data.ndim > 1 else None, None),
        (lambda name, data: BF16 if data.ndim > 1 else None, None),
    ],
)
def test_the_header_says_what_the_folder_will(
    kinds: Callable[[str, Any], Any], vocabulary: Callable[[Any], None] | None, tmp_path: Path
) -> None:
    chosen = {} if vocabulary is None else {"vocabulary": vocabulary}
    weights = random_weights() if vocabulary is None else random_weights(272)  # rows may be more than pieces
    path = write(tmp_path / "m.gguf", weights, kinds=kinds, **chosen)
    assert facts(path, fetched=False) == facts(path, fetched=True)


@pytest.mark.usefixtures("light")
def test_a_plan_needs_the_light_core_alone_and_no_weights(tmp_path: Path) -> None:
    """Weights that no build would take are not looked at; one that is made of them says what is wrong."""
    weights = random_weights()
    for data in weights.values():
        data[...] = np.nan
    path = write(tmp_path / "m.gguf", weights)
    quick = tuned(target.load("linux-cpu"), effort="quick")
    (job,) = build.prepare(str(path), [quick], build.Options(out=tmp_path, quality="off"), read=False)
    assert job.plan.variants[0].recipe == "int4_mixed"
    assert any("tensors in F32" in line for line in job.source.origin)
    with pytest.raises(SourceError, match="task"):
        build.prepare(str(path), ["linux-cpu"], build.Options(out=tmp_path, task="fill-mask"), read=False)


def test_weights_are_looked_at_by_a_build(tmp_path: Path) -> None:
    weights = random_weights()
    weights["model.embed_tokens.weight"][3] = np.inf
    with pytest.raises(SourceError, match="not finite"):
        facts(write(tmp_path / "m.gguf", weights), fetched=True)
