"""Bundles for samples: tiny ones, of what an app can do and of the platform that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit.contract.manifest import Draft
from edgekit.data import part
from edgekit.kinds.tensor import TensorContract
from edgekit.kinds.variant import Compatibility
from edgekit.model import ImageInput, Tensor
from edgekit.target import load
from tests.unit.bundle.tiny_bundle import SIZE, build, draft, origin

Seal = Callable[..., Path]


@pytest.fixture(scope="session")
def made_of(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The model and the wrapper that tiny bundles are made of."""
    return origin(tmp_path_factory.mktemp("origin"))


@pytest.fixture
def seal(tmp_path: Path, made_of: tuple[Path, Path]) -> Seal:
    """seal("android-cpu", pictures=True): a tiny bundle of that target; its net classifies, or only takes tensors."""

    def sealed(target: str, *, pictures: bool = False, **changes: Any) -> Path:
        folder = tmp_path / "bundles" / f"tiny-{target}"
        picture = ImageInput(width=8, height=4) if pictures else None
        build(folder, made_of, _draft(target, picture, changes))
        return folder

    return sealed


def _draft(target: str, picture: ImageInput | None, changes: dict[str, Any]) -> Draft:
    profile = load(target)
    image = Tensor(name="x", dtype="float32", shape=("n", SIZE), preprocess=picture)
    plain = draft(f"tiny-{target}")
    contract = TensorContract(
        inputs=(image,),
        outputs=(Tensor(name="y", dtype="float32", shape=("n", SIZE)),),
        labels="model/portable/labels.txt",
        decode="classes" if picture else "none",
    )
    tied = Compatibility(os=(profile.os,), abi=profile.abi)
    facts = {
        "target": part(type(plain.target), profile, sha256="0" * 64, face="python"),  # as tiny bundles have it
        "contract": contract,
        "variants": tuple(variant.model_copy(update={"compatibility": tied}) for variant in plain.variants),
    }
    return plain.model_copy(update=facts | changes)
