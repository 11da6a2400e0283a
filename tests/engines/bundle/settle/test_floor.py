"""The runtime floor: what releases load, and lowering a graph to what an older one does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper

from edgekit.bundle.settle import floor
from edgekit.ep._releases import numbers, releases
from edgekit.errors import BuildError
from edgekit.sources.facts import loadable
from tests import needs
from tests.unit.partition.small_graphs import conv, model, node, save, weight

pytestmark = pytest.mark.runtimes

Fail = Exception  # ONNX Runtime's errors have no common base but this


def identity(ir: int, opset: int) -> bytes:
    proto: Any = model([node("Identity", "x")], {"x": [2]}, outputs={"y": [2]}, opset=opset, ir=ir)
    return bytes(proto.SerializeToString())


def opens(data: bytes) -> bool:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Fail:
        return False
    return True


def installed() -> Any:
    return releases().of(ort.__version__)


def test_the_row_of_the_installed_release_is_what_it_loads() -> None:
    row = installed()
    if numbers(row.version) != numbers(ort.__version__)[:2]:
        needs.unavailable(f"onnxruntime {ort.__version__} is newer than the table")
    assert opens(identity(row.ir, 17)) and not opens(identity(row.ir + 1, 17))
    assert opens(identity(8, row.opset)) and not opens(identity(8, row.opset + 1))


def test_the_installed_release_knows_the_operators_of_the_table_and_no_others() -> None:
    from onnxruntime.capi.onnxruntime_pybind11_state import get_all_operator_schema

    wanted = numbers(ort.__version__)[:2]
    table = {name: one for name, one in releases().operators.items() if numbers(one.since) <= wanted}
    here = {f"com.microsoft:{one.name}": one for one in get_all_operator_schema() if one.domain == "com.microsoft"}
    assert set(table) == set(here)
    for name, one in table.items():
        new = {attribute for attribute, since in one.attributes.items() if numbers(since) <= wanted}
        assert new <= set(here[name].attributes), name


def test_an_opset_is_converted_and_the_outputs_compared(tmp_path: Path) -> None:
    """Reshape got a new form with opset 23: ONNX's converter writes that of 21."""
    proto = model(
        [node("Reshape", "x s", "r"), node("Relu", "r")], {"x": [2, 6]}, {"s": np.array([3, 4])}, opset=23, ir=10
    )
    path = save(tmp_path, proto)
    (change,) = floor.downgrade(path, "1.20.1")
    assert "converted to 21: Reshape changed, outputs are the same" in change
    assert not loadable.check(path, "1.20.1") and opens(path.read_bytes())


def test_what_cannot_be_converted_is_left_alone_and_named(tmp_path: Path) -> None:
    """RMSNormalization came with opset 23: there is no older form."""
    proto = model([node("RMSNormalization", "x w")], {"x": [2, 4]}, {"w": weight(4)}, opset=23, ir=11)
    path = save(tmp_path, proto)
    before = path.read_bytes()
    with pytest.raises(BuildError, match="opset 22") as caught:
        floor.downgrade(path, "1.22.1")
    assert caught.value.next and path.read_bytes() == before


def test_weights_in_another_file_stay_there(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    proto = conv()
    proto.ir_version = 13
    onnx.save(proto, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    weights = (tmp_path / "weights.bin").read_bytes()
    assert floor.downgrade(path, "1.20.1") == ("IR version 13 lowered to 10",)
    assert (tmp_path / "weights.bin").read_bytes() == weights
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert session.run(None, {"x": np.ones((1, 3, 8, 8), np.float32)})[0].shape == (1, 4, 6, 6)


def test_functions_are_lowered_with_the_graph(tmp_path: Path) -> None:
    proto = model([node("Twice", "x", domain="mine")], {"x": [2]}, opset=23, ir=10)
    body = helper.make_function("mine", "Twice", ["a"], ["b"], [node("Add", "a a", "b")], [helper.make_opsetid("", 23)])
    proto.functions.append(body)
    path = save(tmp_path, proto)
    floor.downgrade(path, "1.20.1")
    lowered = onnx.load(str(path))
    assert lowered.functions[0].opset_import[0].version == 21 and opens(path.read_bytes())
