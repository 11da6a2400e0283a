"""The key-value cache of a decoder's graph: float as GenAI's builder makes it, or int8 with a scale a channel.

ONNX Runtime's GroupQueryAttention keeps int8 keys and values from 1.27 on; scales are [1, heads, 1, head size], of the
heads of keys and values. Nothing else of the graph changes, so the float twin of an int8 graph is the same file of
weights with another graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import BuildError

OPERATOR = "GroupQueryAttention"
FLOAT32, INT8 = 1, 3  # TensorProto's element types
LARGEST = 127
QUERY, KEY, VALUE, PAST_KEY, PAST_VALUE, COSINES = 0, 1, 2, 3, 4, 7  # inputs of the operator
SCALES = 12  # the input that holds the keys' scales; the values' are behind it
ATTRIBUTES: dict[str, int | str] = {
    "kv_cache_bit_width": 8,
    "k_quant_type": "PER_CHANNEL",
    "v_quant_type": "PER_CHANNEL",
}
LEAST = 2.0**-12  # of a head's largest scale: a channel that calibration saw at rest may move later
THROUGH = ("Reshape", "Transpose", "Identity", "Cast")  # between a rotary embedding and the attention that reads it


@dataclass(frozen=True)
class Attention:
    """One layer's attention.

    Attributes:
        node: of the graph.
        keys, values: the inputs and the outputs of the graph that are its cache: past and present.
        cosines: the name of its rotary table [positions, rotary dimensions / 2]; empty where keys are not rotated.
        interleaved: pairs are neighbours; else a channel is rotated with the one half a rotation behind it.
    """

    node: Any
    keys: tuple[str, str]
    values: tuple[str, str]
    cosines: str
    interleaved: bool

    @property
    def past(self) -> tuple[str, str]:
        """The graph's inputs: keys and values so far."""
        return self.keys[0], self.values[0]


def attentions(proto: Any) -> list[Attention]:
    """The attention of every layer that has a cache, in the graph's order.

    Raises:
        BuildError: some of the graph's caches are not float32, or are not those of GroupQueryAttention.
    """
    nodes = [node for node in proto.graph.node if node.op_type == OPERATOR and len(node.input) > PAST_VALUE]
    made = [_attention(proto, node) for node in nodes]
    kept = {value.name: value.type.tensor_type for value in proto.graph.input if len(_shape(value)) == 4}
    read = {name for each in made for name in each.past}
    if not made or kept.keys() != read:
        raise _refused("its attention is not GroupQueryAttention in every layer that has a cache")
    if any(kept[name].elem_type not in (FLOAT32, INT8) for name in read):
        raise _refused("its cache is not float32")
    return made


def to_int8(proto: Any, scales: Mapping[str, NDArray[np.float32]]) -> None:
    """Make every cache int8, in place.

    Args:
        scales: by the name of the graph's input, float32 [heads, head size].

    Raises:
        BuildError: as `attentions`; a cache without scales.
    """
    from onnx import helper, numpy_helper

    layers = attentions(proto)
    if missing := sorted({name for each in layers for name in each.past} - scales.keys()):
        raise _refused(f"no scales were found for {missing[0]}")
    for each in layers:
        inputs = [*each.node.input, *[""] * (SCALES - len(each.node.input))][:SCALES]
        for name in each.past:
            values = scales[name]
            stored = values.reshape(1, values.shape[0], 1, values.shape[1])
            proto.graph.initializer.append(numpy_helper.from_array(stored, f"{name}.scale"))
            inputs.append(f"{name}.scale")
        del each.node.input[:]
        each.node.input.extend(inputs)
        each.node.attribute.extend(helper.make_attribute(name, value) for name, value in ATTRIBUTES.items())
    _retype(proto, layers, INT8)


def to_float(proto: Any) -> None:
    """Take back what `to_int8` did: the same graph with a float32 cache, in place; nothing of a graph that has one."""
    layers = [each for each in attentions(proto) if is_int8(each.node)]
    gone = {f"{name}.scale" for each in layers for name in each.past}
    for each in layers:
        inputs = list(each.node.input)[:SCALES]
        while inputs and not inputs[-1]:
            inputs.pop()
        del each.node.input[:]
        each.node.input.extend(inputs)
        kept = [attribute for attribute in each.node.attribute if attribute.name not in ATTRIBUTES]
        del each.node.attribute[:]
        each.node.attribute.extend(kept)
    initializers = [tensor for tensor in proto.graph.initializer if tensor.name not in gone]
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(initializers)
    _retype(proto, layers, FLOAT32)


def any_int8(proto: Any) -> bool:
    """Whether a layer of a graph keeps its cache in int8."""
    return any(node.op_type == OPERATOR and is_int8(node) for node in proto.graph.node)


def is_int8(node: Any) -> bool:
    """Whether an attention keeps its cache in int8."""
    return any(attribute.name == "kv_cache_bit_width" and attribute.i == 8 for attribute in node.attribute)


def pairs(channels: int, rotated: int, *, interleaved: bool) -> NDArray[np.intp]:
    """Of each channel, the one that the rotary embedding turns it with; of one that is not rotated, itself.

    Args:
        channels: of a head.
        rotated: how many of them, the first, are rotated.
    """
    other = np.arange(channels)
    turned = np.arange(rotated)
    other[:rotated] = turned ^ 1 if interleaved else (turned + rotated // 2) % max(rotated, 1)
    return other


def _attention(proto: Any, node: Any) -> Attention:
    words = {attribute.name: attribute.i for attribute in node.attribute}
    cosines, interleaved = "", bool(words.get("rotary_interleaved", 0))
    if words.get("do_rotary", 0):
        cosines = node.input[COSINES]
    elif rotary := _rotary(proto, node):
        cosines = rotary.input[2]
        interleaved = any(attribute.name == "interleaved" and attribute.i for attribute in rotary.attribute)
    keys, values = ((node.input[PAST_KEY + at], node.output[1 + at]) for at in (0, 1))
    return Attention(node, keys, values, cosines, interleaved)


def _rotary(proto: Any, node: Any) -> Any | None:
    """The node that rotates the keys before an attention; None where there is none."""
    makers = {name: maker for maker in proto.graph.node for name in maker.output}
    maker = makers.get(node.input[KEY])
    while maker is not None and maker.op_type in THROUGH:
        maker = makers.get(maker.input[0])
    return maker if maker is not None and maker.op_type == "RotaryEmbedding" else None


def _retype(proto: Any, layers: list[Attention], kind: int) -> None:
    names = {name for each in layers for name in (*each.keys, *each.values)}
    for value in (*proto.graph.input, *proto.graph.output, *proto.graph.value_info):
        if value.name in names:
            value.type.tensor_type.elem_type = kind


def _shape(value: Any) -> Any:
    return value.type.tensor_type.shape.dim


def _refused(why: str) -> BuildError:
    return BuildError(
        f"the key-value cache cannot be int8: {why}",
        next="build with --cache-bits 32, which keeps the float cache",
    )
