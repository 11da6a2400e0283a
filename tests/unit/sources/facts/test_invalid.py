"""A graph that the ONNX checker refuses: the advice goes by what is wrong, and leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper

from edgekit.errors import SourceError
from edgekit.sources import open_source

pytestmark = pytest.mark.unit

CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "a plugin's operator": ("EfficientNMS_TRT", {}, "without EfficientNMS_TRT: .* a plugin's"),  # YOLOv7, end2end
    "an operator of a later opset": ("Gelu", {}, "export it with opset 20, which has Gelu"),
    "an operator that is gone": ("Upsample", {}, "the last opset that has Upsample"),
    "a later form of the file": ("Relu", {"ir": 99}, "export it for an older release"),
    "an attribute of another": ("Relu", {"alpha": 1.0}, "export it again with a current exporter"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_advice_goes_by_what_is_wrong(case: str, tmp_path: Path) -> None:
    operator, changes, advice = CASES[case]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 16]) for name in "xy")
    attributes = {key: value for key, value in changes.items() if key != "ir"}
    graph = helper.make_graph([helper.make_node(operator, ["x"], ["y"], **attributes)], "g", [x], [y])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=int(changes.get("ir", 8)))
    (tmp_path / "m.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises(SourceError, match=r"m\.onnx is not valid ONNX") as refused:
        open_source(str(tmp_path / "m.onnx"))
    assert re.search(advice, refused.value.next or "")
