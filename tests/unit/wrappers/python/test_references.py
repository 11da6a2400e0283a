"""Where a graph can name a file: the table of messages is ONNX's own."""

from __future__ import annotations

import math

import onnx
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from onnx import TensorProto, helper

from edgekit.wrappers.python.references import BITS, MESSAGES, references

pytestmark = pytest.mark.unit

FILES = {"TensorProto", "NodeProto"}  # what can name a file


def _leads_to_files(message: Descriptor, seen: frozenset[str] = frozenset()) -> bool:
    if message.name in FILES:
        return True
    below = [field.message_type for field in message.fields if field.message_type is not None]
    return any(_leads_to_files(one, seen | {message.name}) for one in below if one.name not in seen)


def test_every_way_to_a_tensor_or_a_node_is_gone() -> None:
    waiting = [onnx.ModelProto.DESCRIPTOR]
    found: dict[str, dict[int, str]] = {}
    while waiting:
        message = waiting.pop()
        if message.name in found or message.name == "TensorProto":
            continue
        ways = {
            field.number: field.message_type
            for field in message.fields
            if field.type == FieldDescriptor.TYPE_MESSAGE and _leads_to_files(field.message_type)
        }
        found[message.name] = {number: below.name for number, below in ways.items()}
        waiting += ways.values()
    metadata = onnx.ModelProto.DESCRIPTOR.fields_by_name["metadata_props"]
    found["ModelProto"][metadata.number] = metadata.message_type.name
    assert found == MESSAGES


def test_every_type_has_its_size() -> None:
    for kind in set(TensorProto.DataType.values()) - {TensorProto.UNDEFINED, TensorProto.STRING}:
        exact = {TensorProto.INT4: 4, TensorProto.UINT4: 4, TensorProto.FLOAT4E2M1: 4}
        exact |= {TensorProto.INT2: 2, TensorProto.UINT2: 2, TensorProto.FLOAT6E2M3: 6, TensorProto.FLOAT6E3M2: 6}
        assert BITS[kind] == exact.get(kind, helper.tensor_dtype_to_np_dtype(kind).itemsize * 8)


@pytest.mark.parametrize("dims", [[3, 5], [], [0], [2**40, 2**40], [-1]])
def test_the_bytes_that_a_tensor_needs(dims: list[int]) -> None:
    tensor = TensorProto(name="w", data_type=1, dims=dims)
    tensor.external_data.add(key="location", value="w.bin")
    model = helper.make_model(helper.make_graph([], "g", [], [], [tensor]))
    (found,) = references(memoryview(model.SerializeToString()))[0]
    wanted = math.prod(dims) * 4
    assert found.needs == (wanted if 0 <= wanted < 2**60 else 2**63)
