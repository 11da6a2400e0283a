"""What the core makes of pictures is what Pillow makes, and what it says they show is what Python's runtime says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.devices._runner import LIBRARY
from edgekit.wrappers.python import open_bundle
from edgekit.wrappers.python.tensor import TensorBundle
from tests.engines.wrappers.conformance import changed
from tests.engines.wrappers.cpp import abi
from tests.engines.wrappers.small_bundles import seal_pictures
from tests.unit.wrappers.python import picture_cases

pytestmark = pytest.mark.tools

LEAST = {"uint8": 1.0, "float16": 0.001}  # one step of a byte, of what a half holds of 1


@pytest.fixture(scope="module")
def library(runner: Path) -> abi.Library:
    return abi.Library(runner.parent / LIBRARY)


@pytest.fixture(scope="module")
def same(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seal_pictures(tmp_path_factory.mktemp("same"))


def said(bundle: Path, to: Path, form: Any, **more: Any) -> Path:
    """A copy whose contract makes its input so."""

    def say(manifest: dict[str, Any]) -> None:
        manifest["contract"]["inputs"][0]["preprocess"] = form.model_dump(mode="json") | more

    return changed(bundle, to, say)


def made(bundle: abi.Bundle, picture: Any) -> Any:
    return bundle.infer({"x": abi.Picture(picture_cases.rows_apart(picture), picture.width)}, {"y": None})["y"]


def test_pillow_makes_the_same(library: abi.Library, same: Path, tmp_path: Path) -> None:
    """Every filter and fit, of rows that lie apart; the floats are the same to a part of a step of a byte."""
    all_pictures = picture_cases.pictures()
    for at, (name, form) in enumerate(picture_cases.FORMS.items()):
        scale = form.scale / min(form.std)
        with abi.Bundle(library, said(same, tmp_path / str(at), form)) as bundle:
            for picture in all_pictures:
                wanted, array = picture_cases.expected(picture, form), made(bundle, picture)
                assert array.shape == wanted.shape, name
                assert np.abs(array - wanted).max() < scale / 100, (name, picture.size)


@pytest.mark.parametrize("dtype", LEAST)
def test_other_types(library: abi.Library, tmp_path: Path, dtype: str) -> None:
    form = picture_cases.FORMS["normalized"].model_copy(update={"scale": 1.0 if dtype == "uint8" else 1 / 255})
    with abi.Bundle(library, said(seal_pictures(tmp_path, dtype), tmp_path, form)) as bundle:
        for picture in picture_cases.pictures():
            wanted = picture_cases.expected(picture, form, dtype)
            array = made(bundle, picture)
            assert array.dtype == wanted.dtype
            assert np.abs(array.astype(np.float64) - wanted.astype(np.float64)).max() <= LEAST[dtype] * 2


def test_the_best_classes(library: abi.Library, classes_bundle: Path, tmp_path: Path) -> None:
    reference = open_bundle(classes_bundle)
    assert isinstance(reference, TensorBundle)
    with abi.Bundle(library, classes_bundle) as bundle:
        for picture in picture_cases.pictures():
            pixels = np.asarray(picture)
            told = bundle.classify(abi.Picture(picture_cases.rows_apart(picture), picture.width))
            expected = reference.classify(pixels)
            assert [(each["index"], each["label"]) for each in told] == [
                (each["index"], each["label"]) for each in expected
            ]
            scores = reference.run({"x": reference.picture("x", pixels)})["scores"][0]
            assert [each["score"] for each in told] == pytest.approx(np.sort(scores)[::-1][:5], rel=1e-5)
            assert len(bundle.classify(abi.Picture(pixels, picture.width), top=99)) == 6

    def unlabelled(manifest: dict[str, Any]) -> None:
        manifest["contract"]["labels"] = None

    with abi.Bundle(library, changed(classes_bundle, tmp_path, unlabelled)) as bundle:
        best = bundle.classify(abi.Picture(pixels, picture.width), top=1)
    assert best == [{"index": told[0]["index"], "label": None, "score": told[0]["score"]}]


def test_refusals(library: abi.Library, same: Path, classes_bundle: Path, talking_bundle: Path, tmp_path: Path) -> None:
    picture = abi.Picture(np.zeros((4, 12), np.uint8), 4)

    def refused(bundle: Path, picture: abi.Picture, *, classify: bool = False) -> abi.Refusal:
        with abi.Bundle(library, bundle) as opened, pytest.raises(abi.Refusal) as refusal:
            opened.classify(picture) if classify else opened.infer({"x": picture}, {"y": None})
        return refusal.value

    without = refused(same, picture)
    assert without.code == "usage" and "does not say how a picture becomes the input 'x'" in str(without)
    assert "classes" in str(refused(same, picture, classify=True))
    form = picture_cases.FORMS["grey"]
    plain = said(same, tmp_path, form)
    assert "rows of three bytes" in refused(plain, abi.Picture(np.zeros((4, 11), np.uint8), 4)).next
    assert "at most 100000000 pixels" in refused(plain, abi.Picture(np.zeros((1, 12), np.uint8), 1 << 40)).next
    assert refused(plain, abi.Picture(np.zeros((0, 12), np.uint8), 4)).code == "usage"
    for key, value in (("fit", "fold"), ("resample", "mitchell")):
        unknown = refused(said(same, tmp_path / key, form, **{key: value}), picture)
        assert value in str(unknown) and unknown.code in ("bundle", "internal")
    assert "language model" in str(refused(talking_bundle, picture, classify=True))

    def another(manifest: dict[str, Any]) -> None:
        manifest["contract"]["inputs"].append({"name": "z", "dtype": "int64", "shape": [1]})

    more = refused(changed(classes_bundle, tmp_path / "more", another), picture, classify=True)
    assert "more than a picture: the input 'z'" in str(more)
    assert json.dumps(more.next)
