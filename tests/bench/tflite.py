"""TFLite graphs as ONNX ones: of MediaPipe's small float nets, which their package has in no other form.

The flatbuffer is read by the slots of TensorFlow's schema.fbs, version 3. Values of four axes, [1, height, width,
channels] there, are [1, channels, height, width] here, but for the graph's own inputs and outputs.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

TYPES = {0: np.float32, 1: np.float16, 2: np.int32}
TO_FIRST, TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)  # where channels are
ADD, AVERAGE, CONCAT, CONV, DEPTHWISE, DEQUANTIZE, LOGISTIC, MAX = 0, 1, 2, 3, 4, 6, 14, 17
MUL, RELU, RESHAPE, RESIZE, CUSTOM, PAD, HARD_SWISH = 18, 19, 22, 23, 32, 34, 117
SAME_OF_CUSTOM = 1  # MediaPipe's transposed convolution: padding, stride of width, stride of height


class Table:
    """A table of a flatbuffer; its fields by their slots."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def _place(self, slot: int) -> int | None:
        known = self.at - self._read("<i", self.at)
        entry = 4 + 2 * slot
        offset = self._read("<H", known + entry) if entry < self._read("<H", known) else 0
        return self.at + offset if offset else None

    def _read(self, form: str, at: int) -> int:
        return int(struct.unpack_from(form, self.data, at)[0])

    def number(self, slot: int, form: str = "<i", default: int = 0) -> int:
        place = self._place(slot)
        return default if place is None else self._read(form, place)

    def table(self, slot: int) -> Table:
        place = self._place(slot)
        assert place is not None
        return Table(self.data, place + self._read("<I", place))

    def values(self, slot: int, dtype: Any) -> NDArray[Any]:
        place = self._place(slot)
        if place is None:
            return np.zeros(0, dtype)
        start = place + self._read("<I", place)
        return np.frombuffer(self.data, dtype, self._read("<I", start), start + 4)

    def tables(self, slot: int) -> list[Table]:
        place = self._place(slot)
        assert place is not None
        start = place + self._read("<I", place)
        offsets = range(start + 4, start + 4 + 4 * self._read("<I", start), 4)
        return [Table(self.data, at + self._read("<I", at)) for at in offsets]


class Graph:
    """The ONNX graph that grows while operators are read."""

    def __init__(self, model: Table) -> None:
        self._whole = model.tables(2)[0]
        self._tensors, self._buffers = self._whole.tables(0), model.tables(4)
        codes = [max(code.number(0, "<b"), code.number(3)) for code in model.tables(1)]
        self._operators = [(codes[node.number(0, "<I")], node) for node in self._whole.tables(3)]
        self._values: dict[int, NDArray[Any]] = {}
        self._nodes: list[Any] = []
        self._weights: list[Any] = []

    def model(self) -> Any:
        inputs, outputs = (self._whole.values(slot, np.int32).tolist() for slot in (1, 2))
        for at in inputs:
            self._nodes.append(helper.make_node("Transpose", [f"in{at}"], [f"t{at}"], perm=TO_FIRST))
        for code, operator in self._operators:
            self._add(code, operator)
        for at in outputs:
            moved = len(self.shape(at)) == 4
            how = {"perm": TO_LAST} if moved else {}
            self._nodes.append(helper.make_node("Transpose" if moved else "Identity", [f"t{at}"], [f"out{at}"], **how))
        ends = [
            [helper.make_tensor_value_info(f"{word}{at}", TensorProto.FLOAT, self.shape(at)) for at in places]
            for word, places in (("in", inputs), ("out", outputs))
        ]
        graph = helper.make_graph(self._nodes, "tflite", *ends, self._weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def shape(self, at: int) -> list[int]:
        return [int(size) for size in self._tensors[at].values(0, np.int32)]

    def constant(self, at: int) -> NDArray[Any]:
        """As it is in the file, float16 too: DEQUANTIZE has made float32 of those that are used."""
        if at in self._values:
            return self._values[at]
        tensor = self._tensors[at]
        raw = self._buffers[tensor.number(2, "<I")].values(0, np.uint8)
        return raw.view(TYPES[tensor.number(1, "<b")]).reshape(self.shape(at))

    def _weight(self, values: NDArray[Any]) -> str:
        name = f"w{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _operand(self, at: int) -> str:
        """An activation, or a constant that is added or multiplied."""
        if not self._buffers[self._tensors[at].number(2, "<I")].values(0, np.uint8).size and at not in self._values:
            return f"t{at}"
        values = self.constant(at)
        return self._weight(values.transpose(TO_FIRST) if values.ndim == 4 else values)

    def _node(self, kind: str, inputs: list[str], output: int, fused: int = 0, **how: Any) -> None:
        name = f"t{output}" if not fused else f"t{output}.linear"
        self._nodes.append(helper.make_node(kind, inputs, [name], **how))
        if fused == 1:
            self._nodes.append(helper.make_node("Relu", [name], [f"t{output}"]))
        assert fused in (0, 1), f"another fused activation: {fused}"

    def _add(self, code: int, operator: Table) -> None:
        inputs, (output,) = operator.values(1, np.int32).tolist(), operator.values(2, np.int32).tolist()
        if code == DEQUANTIZE:
            self._values[output] = self.constant(inputs[0]).astype(np.float32)
        elif code in (CONV, DEPTHWISE):
            self._convolution(code, operator.table(4), inputs, output)
        elif code == CUSTOM:
            self._transposed(operator, inputs, output)
        elif code in (AVERAGE, MAX):
            options = operator.table(4)
            kernel = [options.number(slot) for slot in (4, 3)]
            strides = [options.number(slot) for slot in (2, 1)]
            pads = self._pads(options.number(0, "<b"), inputs[0], kernel, strides)
            how = {"kernel_shape": kernel, "strides": strides, "pads": pads}
            self._node("AveragePool" if code == AVERAGE else "MaxPool", [f"t{inputs[0]}"], output, **how)
        elif code in (ADD, MUL):
            fused = operator.table(4).number(0, "<b")
            self._node("Add" if code == ADD else "Mul", [self._operand(at) for at in inputs], output, fused)
        elif code in (RELU, LOGISTIC, HARD_SWISH):
            kind = {RELU: "Relu", LOGISTIC: "Sigmoid", HARD_SWISH: "HardSwish"}[code]
            self._node(kind, [f"t{inputs[0]}"], output)
        else:
            self._moved(code, operator, inputs, output)

    def _convolution(self, code: int, options: Table, inputs: list[int], output: int) -> None:
        weights = self.constant(inputs[1])  # [out, height, width, in], depthwise [1, height, width, out]
        weights = weights.transpose(TO_FIRST if code == CONV else (3, 0, 1, 2))
        shift = 0 if code == CONV else 1  # a slot more, of the depthwise one's multiplier
        strides = [options.number(slot) for slot in (2, 1)]
        pads = self._pads(options.number(0, "<b"), inputs[0], list(weights.shape[2:]), strides)
        group = 1 if code == CONV else self.shape(inputs[0])[3]
        names = [f"t{inputs[0]}", self._weight(weights), self._weight(self.constant(inputs[2]))]
        fused = options.number(3 + shift, "<b")
        self._node("Conv", names, output, fused, strides=strides, pads=pads, group=group)

    def _transposed(self, operator: Table, inputs: list[int], output: int) -> None:
        padding, width, height = operator.values(5, np.uint8).view(np.int32).tolist()[:3]
        weights = self.constant(inputs[1])  # [out, height, width, in]
        assert padding == SAME_OF_CUSTOM and weights.shape[1:3] == (height, width)
        names = [f"t{inputs[0]}", self._weight(weights.transpose(3, 0, 1, 2)), self._weight(self.constant(inputs[2]))]
        self._node("ConvTranspose", names, output, strides=[height, width])

    def _pads(self, padding: int, source: int, kernel: list[int], strides: list[int]) -> list[int]:
        """TensorFlow's SAME (0): the odd row and column of zeros are the last ones."""
        sizes = self.shape(source)[1:3]
        ends = [
            max((-(-size // stride) - 1) * stride + wide - size, 0) if padding == 0 else 0
            for size, stride, wide in zip(sizes, strides, kernel, strict=True)
        ]
        return [end // 2 for end in ends] + [end - end // 2 for end in ends]

    def _moved(self, code: int, operator: Table, inputs: list[int], output: int) -> None:
        """What computes nothing: padding, concatenation, another shape, another size."""
        first = f"t{inputs[0]}"
        if code == PAD:
            pairs = self.constant(inputs[1])[list(TO_FIRST)]
            self._node("Pad", [first, self._weight(pairs.T.reshape(-1).astype(np.int64))], output)
        elif code == CONCAT:
            axis = operator.table(4).number(0)
            moved = (0, 2, 3, 1)[axis] if len(self.shape(output)) == 4 else axis
            self._node("Concat", [self._operand(at) for at in inputs], output, axis=moved)
        elif code == RESHAPE:
            assert len(self.shape(output)) != 4, "it would have to be turned back"
            self._nodes.append(helper.make_node("Transpose", [first], [f"t{output}.last"], perm=TO_LAST))
            shape = self._weight(np.array(self.shape(output), np.int64))
            self._node("Reshape", [f"t{output}.last", shape], output)
        elif code == RESIZE:
            options, sizes = operator.table(4), [self.shape(output)[axis] for axis in TO_FIRST]
            halves = options.number(3, "<b")
            way = "align_corners" if options.number(2, "<b") else "half_pixel" if halves else "asymmetric"
            names = [first, "", "", self._weight(np.array(sizes, np.int64))]
            self._node("Resize", names, output, mode="linear", coordinate_transformation_mode=way)
        else:
            raise ValueError(f"TFLite's operator {code} is not read here")


def convert(source: Path, out: Path) -> Path:
    """The net of a .tflite file as an .onnx file."""
    data = source.read_bytes()
    model = Graph(Table(data, struct.unpack_from("<I", data)[0])).model()
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, out)
    return out
