"""The int8 cache of a decoder's graph: what is changed, what is taken back, what is refused, and who shares a scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from edgekit.errors import BuildError
from edgekit.jobs.kv_cache import scales
from edgekit.sources.facts import kv_cache
from tests.engines.wrappers.small_attention import PASTS, graph
from tests.engines.wrappers.small_models import HEAD, HEADS

pytestmark = pytest.mark.unit
POSITIONS = 64


def steps(value: float = 4.0) -> dict[str, Any]:
    return {name: np.full((HEADS, HEAD), value / kv_cache.LARGEST, np.float32) for name in PASTS}


def kinds(proto: Any) -> dict[str, int]:
    values = (*proto.graph.input, *proto.graph.output)
    return {value.name: value.type.tensor_type.elem_type for value in values if "key" in value.name}


def test_there_and_back() -> None:
    before, proto = graph(POSITIONS), graph(POSITIONS)
    kv_cache.to_int8(proto, steps())
    assert kv_cache.any_int8(proto) and set(kinds(proto).values()) == {TensorProto.INT8}
    kv_cache.to_float(proto)
    assert proto.SerializeToString(deterministic=True) == before.SerializeToString(deterministic=True)
    kv_cache.to_float(proto)  # one that is float stays
    assert proto.SerializeToString(deterministic=True) == before.SerializeToString(deterministic=True)


def test_a_pair_is_what_the_rotation_turns() -> None:
    assert kv_cache.pairs(8, 4, interleaved=False).tolist() == [2, 3, 0, 1, 4, 5, 6, 7]
    assert kv_cache.pairs(8, 4, interleaved=True).tolist() == [1, 0, 3, 2, 4, 5, 6, 7]
    assert kv_cache.pairs(4, 0, interleaved=False).tolist() == [0, 1, 2, 3]


def test_a_channel_at_rest_has_a_step_all_the_same() -> None:
    made = scales(np.array([[127.0, 0.0], [0.0, 0.0]], np.float32))
    assert made[0].tolist() == [1.0, kv_cache.LEAST] and made.min() > 0


def test_the_rotary_table_is_that_of_the_attention_or_of_the_node_before_it() -> None:
    [inside] = kv_cache.attentions(graph(POSITIONS))
    assert (inside.cosines, inside.past, inside.interleaved) == ("cos_cache", PASTS, False)
    apart = graph(POSITIONS)
    [node] = [node for node in apart.graph.node if node.op_type == kv_cache.OPERATOR]
    node.input[1] = "shaped"
    [words] = [attribute for attribute in node.attribute if attribute.name == "do_rotary"]
    words.i = 0
    [unturned] = kv_cache.attentions(apart)
    assert unturned.cosines == ""
    rotary = ["k", "position_ids", "table", "sines"]
    apart.graph.node.append(helper.make_node("RotaryEmbedding", rotary, ["turned"], interleaved=1))
    apart.graph.node.append(helper.make_node("Reshape", ["turned", "shape"], ["shaped"]))
    [before] = kv_cache.attentions(apart)
    assert (before.cosines, before.interleaved) == ("table", True)


@pytest.mark.parametrize("fault", ["other attention", "half", "no scales"])
def test_what_cannot_be_int8_is_refused(fault: str) -> None:
    proto = graph(POSITIONS, TensorProto.FLOAT16 if fault == "half" else TensorProto.FLOAT)
    if fault == "other attention":
        proto.graph.input.append(
            helper.make_tensor_value_info("past_key_values.1.key", TensorProto.FLOAT, [1, 2, 3, 4])
        )
    with pytest.raises(BuildError, match="the key-value cache cannot be int8") as caught:
        kv_cache.to_int8(proto, {} if fault == "no scales" else steps())
    assert "--cache-bits 32" in caught.value.next
    assert not kv_cache.any_int8(proto)
