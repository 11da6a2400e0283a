"""An Olive pass: static QDQ quantization for the HTP, with biases that make up for the rounding of the weights.

Rounding a convolution's weights shifts the mean of each of its output channels. The shift is the mean of (rounded -
float weights) applied to the float net's own inputs, so it is measured once, on calibration data, and taken off the
biases, which are int32 and cost nothing. Source: Nagel et al., Data-Free Quantization (arXiv 1906.04721), section 4.2,
there with one layer after the other. On EfficientNet-Lite0 it takes the signal from 20 to 29 dB over the noise.
"""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from olive.hardware.accelerator import AcceleratorSpec, Device
from olive.hardware.constants import ExecutionProvider
from olive.model.utils import resolve_onnx_path
from olive.passes.olive_pass import create_pass_from_dict
from olive.passes.onnx.common import model_proto_to_olive_model
from olive.passes.onnx.quantization import OnnxStaticQuantization, get_calibration_dataloader
from olive.passes.pass_config import PassConfigParam
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from edgekit.jobs.olive.passes import _bias, _kept, _taken

logger = logging.getLogger("olive.edgekit")
PREPARED = "prepared.onnx"
OWN = ("wide_weights", "correct_bias", "fuse")
CHANNELS = {"Conv": 0, "Gemm": 0}  # operators with a bias: the axis of the output channels in their weights
INT32 = 2**31 - 1
ROOM = 2**30  # a bias that needs more steps than this gets coarser ones
Array = np.ndarray[Any, np.dtype[Any]]


class EdgekitQnnQuantization(OnnxStaticQuantization):  # type: ignore[misc]
    """Olive's own pass, for QNN whatever the workflow's target is, with three parameters more."""

    @classmethod
    def _default_config(cls, accelerator_spec: Any) -> dict[str, PassConfigParam]:
        config: dict[str, PassConfigParam] = super()._default_config(accelerator_spec)
        return config | {
            "wide_weights": PassConfigParam(
                type_=int, default_value=0, description="How many convolutions, from the inputs on, get int16 weights."
            ),
            "correct_bias": PassConfigParam(
                type_=bool, default_value=True, description="Take the mean error of each channel off its bias."
            ),
            "fuse": PassConfigParam(
                type_=bool, default_value=True, description="Join what the HTP has one operator for. Drops metadata."
            ),
        }

    def _run_for_config(self, model: Any, config: Any, output_model_path: str) -> Any:
        import onnx
        from olive.model import ONNXModelHandler

        theirs = {name: value for name, value in config.model_dump().items() if name not in OWN}
        if not config.fuse:
            _kept.keep(onnx.load(model.model_path))
            return _quantized(theirs, model, output_model_path)
        theirs["quant_preprocess"] = False  # or the float net would not have the names of the quantized one
        with tempfile.TemporaryDirectory() as folder:
            source = _prepared(onnx.load(model.model_path), Path(folder))
            _kept.keep(source)
            if config.wide_weights:
                theirs["tensor_quant_overrides"] = _wide(source, config.wide_weights)
            handler = ONNXModelHandler(str(Path(folder) / PREPARED))
            quantized = onnx.load(_quantized(theirs, handler, str(Path(folder) / "quantized.onnx")).model_path)
        if config.correct_bias:
            layers = [*_layers(source, quantized)]
            settled = sum(layer.settle_channels() for layer in layers)
            reader = get_calibration_dataloader(config, model.model_path, model.io_config)
            for layer, shift in zip(layers, _shifts(source, layers, reader), strict=True):
                layer.correct(shift)
            logger.info("Corrected the biases of %d operators; %d channels got other scales", len(layers), settled)
        written = resolve_onnx_path(output_model_path, Path(model.model_path).name)
        return model_proto_to_olive_model(quantized, written, config)


def _quantized(config: dict[str, Any], model: Any, output: str) -> Any:
    """What Olive's pass makes of a model, with its rules for QNN (which operators, which fixed ranges)."""
    spec = AcceleratorSpec(Device.NPU, ExecutionProvider.QNNExecutionProvider)
    with _taken.only():
        return create_pass_from_dict(OnnxStaticQuantization, config, spec).run(model, output)


def _prepared(model: ModelProto, folder: Path) -> ModelProto:
    """The float net with what the HTP has one operator for (Gelu, LayerNormalization, LpNormalization) in one node.

    Written to folder/PREPARED. ONNX Runtime 1.32's function for it fails on a model with metadata, which it loses here.
    """
    import onnx
    from onnxruntime.quantization.execution_providers.qnn import qnn_preprocess_model

    plain, path = folder / "plain.onnx", folder / PREPARED
    del model.metadata_props[:]
    onnx.save(_bias.flat(model), plain)
    if not qnn_preprocess_model(plain, path, fuse_layernorm=True):
        plain.rename(path)
    return onnx.load(path)


def _wide(source: ModelProto, count: int) -> dict[str, list[dict[str, Any]]]:
    """Overrides for the weights of the first convolutions: int16 for the whole tensor, which the HTP computes exactly.

    They read the input itself, whose every detail passes through them, and they are the smallest of a net.
    """
    from onnxruntime.quantization import QuantType

    constants = {tensor.name for tensor in source.graph.initializer}
    names = [node.input[1] for node in source.graph.node if node.op_type == "Conv" and node.input[1] in constants]
    return {name: [{"quant_type": QuantType.QInt16, "symmetric": True}] for name in names[:count]}


@dataclass
class Layer:
    """One operator with constant weights and an int32 bias, in the quantized graph.

    Attributes:
        node: the float net's operator.
        weights, weight_scale, weight_zero, bias, bias_scale: initializers of the quantized graph.
        float_weights, float_bias: what they stand for.
    """

    node: NodeProto
    weights: TensorProto
    weight_scale: TensorProto
    weight_zero: TensorProto | None
    bias: TensorProto
    bias_scale: TensorProto
    float_weights: Array
    float_bias: Array

    def settle_channels(self) -> int:
        """Give channels that QNN or int32 could not hold a scale they can be held with; returns how many.

        A bias has the scale of its weights times that of the input: where a channel's weights are next to nothing, what
        it gives is its bias, which then overflows and is cut off. Coarser weights lose a thirty-thousandth of the bias
        at most. A channel of zeros gets any scale from the quantizer and another zero point than its neighbours; the
        HTP refuses zero points that differ.
        """
        scale = _per_channel(self.weight_scale)
        if len(scale) != len(self.float_bias):
            return 0
        input_scale = _per_channel(self.bias_scale) / scale
        dead = ~self.float_weights.any(axis=self._others())
        live = scale[~dead].min(initial=np.inf)
        settled = np.where(dead, live if np.isfinite(live) else 1.0, scale)
        settled = np.maximum(settled, np.abs(self.float_bias) / (input_scale * ROOM))
        changed = settled != scale
        if not changed.any():
            return 0
        _replace(self.weight_scale, settled.astype(np.float32))
        _replace(self.bias_scale, (input_scale * settled).astype(np.float32))
        if self.weight_zero is not None:
            zeros = numpy_helper.to_array(self.weight_zero).copy()
            zeros[dead] = zeros[~dead][0] if not dead.all() else zeros[0]
            _replace(self.weight_zero, zeros)
        integers = np.round(self.float_weights / self._spread(settled)) + self._zeros()
        kind = helper.tensor_dtype_to_np_dtype(self.weights.data_type)
        limits = np.iinfo(kind)
        chosen = np.where(self._spread(changed), integers, numpy_helper.to_array(self.weights))
        _replace(self.weights, np.clip(chosen, limits.min, limits.max).astype(kind))
        return int(changed.sum())

    def rounded(self) -> Array:
        """The weights as the quantized net has them, in float."""
        integers = numpy_helper.to_array(self.weights).astype(np.float64)
        values = (integers - self._zeros()) * self._spread(_per_channel(self.weight_scale))
        return np.asarray(values, np.float32)

    def correct(self, shift: Array) -> None:
        """Take the mean error of each output channel off the bias."""
        steps = np.round((self.float_bias - shift) / _per_channel(self.bias_scale))
        _replace(self.bias, np.clip(steps, -INT32 - 1, INT32).astype(np.int32))

    def _zeros(self) -> Array | float:
        if self.weight_zero is None:
            return 0.0
        return self._spread(_per_channel(self.weight_zero))

    def _others(self) -> tuple[int, ...]:
        """All axes of the weights but that of the output channels."""
        return tuple(axis for axis in range(self.float_weights.ndim) if axis != _channel_axis(self.node))

    def _spread(self, values: Array) -> Array:
        """Per-channel values in a shape that goes with the weights."""
        if len(values) == 1:
            return values.reshape(())
        shape = [1] * self.float_weights.ndim
        shape[_channel_axis(self.node)] = -1
        return values.reshape(shape)


def _layers(source: ModelProto, quantized: ModelProto) -> Iterator[Layer]:
    floats = {node.name: node for node in source.graph.node if node.op_type in CHANNELS}
    values = {tensor.name: tensor for tensor in source.graph.initializer}
    constants = {tensor.name: tensor for tensor in quantized.graph.initializer}
    dequantized = {node.output[0]: node for node in quantized.graph.node if node.op_type == "DequantizeLinear"}
    uses = Counter(name for node in dequantized.values() for name in node.input)
    for node in quantized.graph.node:
        original = floats.get(node.name)
        if original is None or len(node.input) < 3 or not all(name in values for name in original.input[1:3]):
            continue
        weights, bias = (dequantized.get(name) for name in node.input[1:3])
        if weights is None or bias is None or bias.input[0] not in constants or weights.input[0] not in constants:
            continue
        if any(uses[name] > 1 for name in (*weights.input[:2], *bias.input[:2])):
            continue  # shared with another operator, whose inputs are others
        if constants[bias.input[0]].data_type != TensorProto.INT32:
            continue
        yield Layer(
            node=original,
            weights=constants[weights.input[0]],
            weight_scale=constants[weights.input[1]],
            weight_zero=constants[weights.input[2]] if len(weights.input) > 2 and weights.input[2] else None,
            bias=constants[bias.input[0]],
            bias_scale=constants[bias.input[1]],
            float_weights=numpy_helper.to_array(values[original.input[1]]).astype(np.float64),
            float_bias=numpy_helper.to_array(values[original.input[2]]).astype(np.float64),
        )


def _shifts(source: ModelProto, layers: list[Layer], reader: Any) -> list[Array]:
    """The mean, over calibration data and places, of what the rounding of the weights adds to each output channel."""
    import onnxruntime

    if not layers:
        return []
    twins = ModelProto()
    twins.CopyFrom(source)
    del twins.graph.output[:]
    for at, layer in enumerate(layers):
        difference = (layer.rounded() - layer.float_weights).astype(np.float32)
        twins.graph.initializer.append(numpy_helper.from_array(difference, f"edgekit_difference_{at}"))
        twin = NodeProto()
        twin.CopyFrom(layer.node)
        twin.name = f"edgekit_twin_{at}"
        del twin.input[:], twin.output[:]
        twin.input.extend([layer.node.input[0], f"edgekit_difference_{at}"])
        twin.output.append(f"edgekit_shift_{at}")
        twins.graph.node.append(twin)
        twins.graph.output.append(helper.make_empty_tensor_value_info(f"edgekit_shift_{at}"))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(twins.SerializeToString(), options, providers=["CPUExecutionProvider"])
    sums: list[Any] = [0.0] * len(layers)
    count = 0
    while (feed := reader.get_next()) is not None:
        for at, found in enumerate(session.run(None, feed)):
            sums[at] = sums[at] + found.mean(axis=tuple(axis for axis in range(found.ndim) if axis != 1), dtype=float)
        count += 1
    return [np.asarray(one) / max(1, count) for one in sums]


def _channel_axis(node: NodeProto) -> int:
    """The axis of the output channels in the weights; Gemm's are [in, out] unless it transposes them."""
    if node.op_type == "Gemm":
        return 0 if any(attribute.name == "transB" and attribute.i for attribute in node.attribute) else 1
    return CHANNELS[node.op_type]


def _per_channel(tensor: TensorProto) -> Array:
    return numpy_helper.to_array(tensor).astype(np.float64).reshape(-1)


def _replace(tensor: TensorProto, values: Array) -> None:
    """Put other values of the same shape and type into an initializer."""
    shaped = values.reshape(tuple(tensor.dims))
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(shaped), tensor.name))
