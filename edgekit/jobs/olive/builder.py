"""GenAI's graph builder, holding no weights: they stay in the checkpoint's files until they are written.

The builder copies fused query, key and value weights, keeps every scale that it converted, and puts all weights into a
ModelProto to ask whether anything is left to quantize. Here a weight is read when it is written, and that question is
asked of a graph whose weights are places alone. The files it writes are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

PLACE = "kept"  # the file that a weight is said to lie in while it is not asked for


def install() -> None:
    """Change GenAI's builder in this process, as Olive's pass calls it."""
    from olive.passes.onnx import model_builder

    patched = model_builder.ModelBuilder.maybe_patch_quant
    if patched.__module__ == __name__:
        return

    def patch() -> None:
        patched()
        from onnxruntime_genai.models import builder

        if builder.Model.to_int4.__module__ != __name__:
            builder.Model.make_packed_matmul_int4 = _packed_product
            builder.Model.make_initializer = _initializer(builder.Model.make_initializer)
            builder.Model.to_int4 = _quantized(builder.Model.to_int4)

    model_builder.ModelBuilder.maybe_patch_quant = staticmethod(patch)


class Rows:
    """Tensors of one width, one below the other, put together when they are asked for."""

    def __init__(self, parts: list[Any]) -> None:
        self.parts = parts
        self.shape = (sum(len(part) for part in parts), *parts[0].shape[1:])
        self.dtype = parts[0].dtype

    def whole(self) -> Any:
        """All rows in one tensor."""
        import torch

        return torch.cat(self.parts, dim=0)


class Fused:
    """Query, key and value as one product, with what the builder asks of a quantized layer."""

    def __init__(self, parts: tuple[Any, Any, Any]) -> None:
        first = parts[0]
        for name in ("bits", "group_size"):
            if len({getattr(part, name) for part in parts}) > 1:
                raise ValueError(f"query, key and value have another {name} each: they cannot be one product")
        self.qweight = Rows([part.qweight for part in parts])
        self.scales = Rows([part.scales for part in parts])
        self.qzeros = Rows([part.qzeros for part in parts]) if first.qzeros is not None else None
        self.g_idx = first.g_idx
        self.bits, self.group_size, self.in_features = first.bits, first.group_size, first.in_features
        self.out_features = sum(part.out_features for part in parts)


def _packed_product(self: Any, query: Any, key: Any, value: Any, basename: str, root_input: str, **more: Any) -> Any:
    if not hasattr(query, "qweight"):
        return self.make_packed_matmul_float(query, key, value, basename, root_input, **more)
    return self.make_matmul_int4(Fused((query, key, value)), basename, root_input, **more)


def _initializer(original: Callable[..., None]) -> Callable[..., None]:
    """make_initializer, that converts a tensor whenever it is asked for and keeps nothing of it."""
    import onnx_ir as ir
    from onnx_ir import tensor_adapters
    from torch import Tensor

    def make(self: Any, tensor: Any, /, name: str, to: Any = None) -> None:
        if not isinstance(tensor, Tensor | Rows) or (to is None and isinstance(tensor, Tensor)):
            original(self, tensor, name=name, to=to)
            return
        wanted = tensor_adapters.to_torch_dtype(to) if to is not None else tensor.dtype

        def read() -> Any:
            whole = tensor.whole() if isinstance(tensor, Rows) else tensor
            return tensor_adapters.TorchTensor(whole.to(wanted), name=name)

        dtype = ir.DataType(to) if to is not None else tensor_adapters.from_torch_dtype(tensor.dtype)
        lazy = ir.LazyTensor(read, dtype=dtype, shape=ir.Shape(tensor.shape), name=name)
        original(self, lazy, name=name)

    return make


def _quantized(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """to_int4 of a graph in which only the weights that may still be quantized are real."""
    import onnx_ir as ir

    def quantized(self: Any) -> Any:
        operators = set(self.quant_attrs["int4"]["op_types_to_quantize"])
        graph = self.model.graph
        asked = {
            value.name for node in graph if node.op_type in operators for value in node.inputs if value is not None
        }
        kept = {name: value.const_value for name, value in graph.initializers.items() if name not in asked}
        try:
            for name, tensor in kept.items():
                graph.initializers[name].const_value = ir.ExternalTensor(
                    PLACE, 0, tensor.nbytes, tensor.dtype, shape=tensor.shape, name=name
                )
            made = original(self)
        finally:
            for name, tensor in kept.items():
                graph.initializers[name].const_value = tensor
        for name, value in made.graph.initializers.items():
            if name in kept:
                value.const_value = kept[name]
        return made

    return quantized
