"""One class of variants: each document has its part of the fields, reads no others and writes no others."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from edgekit.kinds.variant import Asked, Chosen, Compatibility, Sealed, Variant

pytestmark = pytest.mark.unit

ASKED: dict[str, Any] = {"name": "sm8650", "recipe": "w8a16_qdq", "compile": "qnn_context"}
CHIP: dict[str, Any] = {"soc": ["SM8650"], "soc_model": 57, "htp_arch": "75"}
GROWN = Variant(
    name="sm8650",
    recipe="w8a16_qdq",
    precision="w8a16",
    ep="qnn",
    compile="qnn_context",
    soc=("SM8650",),
    soc_model=57,
    htp_arch="75",
    recipe_sha256="0" * 64,
    summary="for the NPU",
    calibrated=True,
    reason="the default",
    path="model/sm8650/model.onnx",
    compatibility=Compatibility(soc=("SM8650",), htp_arch="75", qairt="2.40.0"),
    compiled={"compiler": "onnxruntime-qnn 1.24"},
)
PLAN_ONLY = {"recipe_sha256", "summary", "calibrated", "reason", "soc_model", "compile"}
BUILT_ONLY = {"path", "compatibility", "compiled"}


def document(part: Any, value: Variant) -> dict[str, Any]:
    written: dict[str, Any] = TypeAdapter(part).dump_python(value, mode="json", exclude_none=True)
    return written


def test_a_document_has_its_part_of_the_fields_and_reads_it_back() -> None:
    for part, without in ((Asked, BUILT_ONLY | {"reason"}), (Chosen, BUILT_ONLY), (Sealed, PLAN_ONLY)):
        written = document(part, GROWN)
        assert not written.keys() & without and written["recipe"] == "w8a16_qdq"
        assert TypeAdapter(part).validate_python(written) == TypeAdapter(part).validate_python(GROWN)
    assert document(Sealed, GROWN)["compatibility"]["qairt"] == "2.40.0"
    assert TypeAdapter(Sealed).validate_python(GROWN).summary == ""  # what a manifest does not say, is not in it


@pytest.mark.parametrize(
    ("part", "fields", "message"),
    [
        (Asked, ASKED | CHIP | {"reason": "because"}, "reason\n  Extra inputs"),
        (Asked, ASKED | CHIP | {"compiled": {}}, "compiled\n  Extra inputs"),
        (Asked, ASKED, "needs soc, soc_model and htp_arch"),
        (Asked, {"name": "../up"}, "String should match pattern"),
        (Chosen, {"name": "a"}, "reason\n  Field required"),
        (Sealed, {"name": "a", "ep": "cpu"}, "path\n  Field required"),
        (Sealed, {"name": "a", "ep": "cpu", "path": "p", "soc": ["x"]}, "soc\n  Extra inputs"),
    ],
)
def test_a_document_refuses_what_is_not_its_part(part: Any, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(part).validate_python(fields)
    assert message in str(caught.value)


def test_what_a_target_leaves_to_its_settings_is_empty_and_not_written() -> None:
    asked = TypeAdapter(Asked).validate_python({"name": "portable"})
    assert (asked.recipe, asked.precision, asked.ep) == ("", "", "")
    assert not document(Asked, asked).keys() & {"recipe", "precision", "ep"}
