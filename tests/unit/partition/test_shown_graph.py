"""The graph that providers are shown: optimized where ONNX Runtime can, folded and inferred where it cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from edgekit import partition
from edgekit.errors import SourceError, UsageError
from edgekit.partition._graph import shown
from edgekit.partition._rewrites import known, rewrite
from tests.unit.partition.small_graphs import branch, conv, matmul_nbits, model, node, save, weight

pytestmark = pytest.mark.unit


def test_float16_is_not_wrapped_in_casts(tmp_path: Path) -> None:
    """The CPU has no float16 Conv and would put casts around it; Core ML is shown the graph as it is."""
    proto = model([node("Conv", "x w")], {"x": ([1, 3, 8, 8], "float16")}, {"w": weight(4, 3, 3, 3, dtype="float16")})
    found = partition.predict(save(tmp_path, proto), "coreml", {"ModelFormat": "MLProgram"})
    assert (found.nodes, found.nodes_taken) == (1, 1) and "as written" in found.graph


def test_decoders_of_genai_are_inferred(tmp_path: Path) -> None:
    """MatMulNBits, then what reads from it: ONNX itself cannot infer through contrib operators."""
    proto = matmul_nbits()
    proto.graph.node[0].output[0] = "m"
    proto.graph.node.append(node("Sigmoid", "m"))
    found = partition.predict(save(tmp_path, proto), "nnapi", optimize=False)
    assert found.macs == 4 * 64 * 32
    assert [blocker.operator for blocker in found.blockers] == ["com.microsoft:MatMulNBits"]


def test_an_initializer_that_can_be_overridden_is_no_constant(tmp_path: Path) -> None:
    """From IR version 4 on, a weight that is also a graph input may be replaced by the caller."""
    proto = conv()
    proto.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 3, 3, 3]))
    assert partition.predict(save(tmp_path, proto), "nnapi", optimize=False).nodes_taken == 0
    proto.ir_version = 3
    assert partition.predict(save(tmp_path, proto), "nnapi", optimize=False).nodes_taken == 1


def test_bodies_see_what_is_around_them(tmp_path: Path) -> None:
    view = shown(save(tmp_path, branch()), optimize=False).view
    assert [one.owner for one in view.all()] == ["", "If", "If"]
    inner = view.inner[0]
    assert inner.shape("a") == (1, 4, 6, 6) and inner.dtype("a") == "float32"
    assert [consumer.op for consumer in view.consumers["a"]] == ["If"]


def test_a_file_that_is_no_model_is_one_line(tmp_path: Path) -> None:
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"\xff" * 30)
    for path in (bad, tmp_path / "gone.onnx"):
        with pytest.raises(SourceError) as caught:
            partition.predict(path, "nnapi")
        assert "\n" not in caught.value.message and caught.value.next


def test_what_cannot_be_predicted_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not predicted") as caught:
        partition.predict(save(tmp_path, conv()), "xnnpack")
    assert all(name in caught.value.next for name in ("coreml", "dml", "nnapi"))
    with pytest.raises(UsageError, match="did you mean 'nnapi'"):
        partition.predict(save(tmp_path, conv()), "nnpai")


def test_every_rewrite_is_for_known_providers_and_says_what_to_do() -> None:
    from edgekit import ep

    assert known()
    for one in known():
        assert set(one.eps) <= set(ep.names())
        assert one.says or one.operators
        assert 10 < len(one.text) < 130
    assert "uint8" in rewrite("ai.onnx:Conv", "its inputs are int8 and int8: activations must be uint8", "nnapi")
    assert rewrite("ai.onnx:Mystery", "no such operator", "nnapi") == ""


def test_a_constant_of_gigabytes_is_not_computed(tmp_path: Path) -> None:
    """Twelve bytes of shape that ask for 4 TB: the node stays, and its size is known."""
    proto = model([node("ConstantOfShape", "s", "big"), node("Relu", "big")], {}, {"s": np.array([1 << 20, 1 << 20])})
    view = shown(save(tmp_path, proto), optimize=False).view
    assert [one.op for one in view.nodes] == ["ConstantOfShape", "Relu"]
    assert view.shape("big") == (1 << 20, 1 << 20)
