"""An Olive pass: inputs that vary get fixed sizes, each dimension on its own.

Olive's pass sets every dimension of one name to one size, and exporters give several dimensions one name ("?").
"""

from __future__ import annotations

from typing import Any

from olive.model.utils import resolve_onnx_path
from olive.passes.onnx.common import model_proto_to_olive_model
from olive.passes.onnx.dynamic_to_fixed_shape import DynamicToFixedShape

from edgekit.errors import BuildError


class EdgekitFixedShape(DynamicToFixedShape):  # type: ignore[misc]
    """As Olive's pass with input_name and input_shape; every other shape in the graph is inferred anew."""

    def _run_for_config(self, model: Any, config: Any, output_model_path: str) -> Any:
        import onnx

        proto = model.load_model()
        inputs = {value.name: value.type.tensor_type.shape for value in proto.graph.input}
        for name, sizes in zip(config.input_name, config.input_shape, strict=True):
            if len(inputs[name].dim) != len(sizes):
                raise BuildError(
                    f"the input {name!r} has {len(inputs[name].dim)} dimensions, not {len(sizes)}",
                    next="correct how it is made: its card, or --input-spec",
                )
            for dim, size in zip(inputs[name].dim, sizes, strict=True):
                dim.Clear()
                dim.dim_value = size
        del proto.graph.value_info[:]  # what it says depends on the sizes that varied
        for output in proto.graph.output:
            for dim in output.type.tensor_type.shape.dim:
                if dim.WhichOneof("value") != "dim_value":
                    dim.Clear()
        proto = onnx.shape_inference.infer_shapes(proto, data_prop=True)
        return model_proto_to_olive_model(proto, resolve_onnx_path(output_model_path), config)
