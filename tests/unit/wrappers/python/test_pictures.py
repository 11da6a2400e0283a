"""What the Python runtime makes of pictures is what Pillow makes of them, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.wrappers.python import pictures
from edgekit.wrappers.python.manifest import Refused
from tests.unit.wrappers.python import picture_cases

pytestmark = pytest.mark.unit


def made(picture: Any, form: Any, dtype: str = "float32") -> Any:
    tensor = picture_cases.tensor(form, dtype).model_dump(mode="json")
    return pictures.of_picture(tensor, np.asarray(picture))


@pytest.mark.parametrize("form", picture_cases.FORMS.values(), ids=picture_cases.FORMS)
def test_pillow_makes_the_same(form: Any) -> None:
    for picture in picture_cases.pictures():
        wanted = picture_cases.expected(picture, form)
        array = made(picture, form)
        assert array.dtype == wanted.dtype and array.shape == wanted.shape
        assert np.array_equal(array, wanted), (picture.size, np.abs(array - wanted).max())


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "float16", "float64"])
def test_other_types(dtype: str) -> None:
    form = picture_cases.FORMS["normalized"].model_copy(update={"scale": 1.0})
    for picture in picture_cases.pictures():
        assert np.array_equal(made(picture, form, dtype), picture_cases.expected(picture, form, dtype))


def test_rows_that_lie_apart() -> None:
    form = picture_cases.FORMS["normalized"]
    picture = picture_cases.pictures()[0]
    wide = picture_cases.rows_apart(picture)
    rows = np.lib.stride_tricks.as_strided(wide, (picture.height, picture.width, 3), (wide.strides[0], 3, 1))
    assert np.array_equal(made(rows, form), picture_cases.expected(picture, form))


@pytest.mark.parametrize(
    ("pixels", "says"),
    [
        (np.zeros((4, 4, 3), np.float32), "is float32"),
        (np.zeros((4, 4), np.uint8), r"uint8 \[4, 4\]"),
        (np.zeros((4, 4, 4), np.uint8), r"uint8 \[4, 4, 4\]"),
        (np.zeros((0, 4, 3), np.uint8), r"\[0, 4, 3\]"),
        (np.broadcast_to(np.uint8(1), (20_000, 20_000, 3)), "400000000 pixels"),
    ],
)
def test_what_is_no_picture_is_refused(pixels: Any, says: str) -> None:
    with pytest.raises(Refused, match=says) as refusal:
        pictures.of_picture(picture_cases.tensor(picture_cases.FORMS["grey"]).model_dump(mode="json"), pixels)
    assert refusal.value.code == "usage" and refusal.value.next


def test_a_contract_that_says_nothing_of_pictures() -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(Refused, match="does not say how a picture becomes the input 'x'"):
        pictures.of_picture({"name": "x", "dtype": "float32", "shape": [1, 3, 4, 4]}, pixels)
    for key, value in (("fit", "fold"), ("resample", "mitchell")):
        form = {"kind": "image", "height": 8, "width": 8, key: value}
        with pytest.raises(Refused, match=value) as refusal:
            pictures.of_picture({"name": "x", "dtype": "float32", "shape": [], "preprocess": form}, pixels)
        assert refusal.value.code == "bundle"


def test_an_input_that_is_always_the_same() -> None:
    fixed = {"kind": "fixed", "value": 3.0, "shape": [2]}
    array = pictures.of_fixed({"name": "y", "dtype": "int64", "preprocess": fixed})
    assert array.dtype == np.int64 and array.tolist() == [3, 3]
    with pytest.raises(Refused, match="more than a picture: the input 'z'"):
        pictures.of_fixed({"name": "z", "dtype": "int64", "preprocess": {"kind": "text"}})
