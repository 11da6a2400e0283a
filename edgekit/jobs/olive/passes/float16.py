"""An Olive pass: the conversion to float16, with its nodes put in order, and the source's own casts left alone.

ONNX Runtime's converter appends the casts of inputs that two operators read behind all other nodes. A session sorts
them when it loads the model; the ONNX checker, and every reader that goes from node to node, refuses the file.

Behind the conversion it skips the first of every two casts in a row ("might introduce semantic change", says its own
OnnxModel.remove_cascaded_cast_nodes): float -> int -> float, by which a model cuts values to whole numbers, was gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from olive.model.utils import resolve_onnx_path
from olive.passes.onnx.common import model_proto_to_olive_model
from olive.passes.onnx.float16_conversion import OnnxFloatToFloat16
from onnxruntime.transformers.onnx_model import OnnxModel

from edgekit.jobs.olive.passes._order import in_order
from edgekit.sources.facts.half_range import LEAST, MOST
from edgekit.sources.facts.onnx_graph import bodies


@contextmanager
def _casts_kept(source: Any) -> Iterator[None]:
    """While this holds, no cast that the source itself has is skipped; those that the converter put in may be."""
    own = {name for body in bodies(source) for node in body.node if node.op_type == "Cast" for name in node.output}

    def skip(model: OnnxModel) -> None:
        makers = model.output_name_to_node()
        skipped = 0
        for node in model.nodes():
            before = makers.get(node.input[0]) if node.op_type == "Cast" else None
            if before is not None and before.op_type == "Cast" and before.output[0] not in own:
                node.input[0] = before.input[0]
                skipped += 1
        if skipped:
            model.prune_graph()

    theirs = OnnxModel.remove_cascaded_cast_nodes
    OnnxModel.remove_cascaded_cast_nodes = skip
    try:
        yield
    finally:
        OnnxModel.remove_cascaded_cast_nodes = theirs


class EdgekitFloat16(OnnxFloatToFloat16):  # type: ignore[misc]
    """As Olive's pass; each node comes after those whose outputs it reads, and every cast of the source stays.

    Constants are clipped to what float16 holds, where Olive clips them to 1e-7 ... 1e4: a scale of 50,000 is one.
    """

    @classmethod
    def _default_config(cls, accelerator_spec: Any) -> dict[str, Any]:
        config: dict[str, Any] = super()._default_config(accelerator_spec)
        config["max_finite_val"].default_value = MOST
        config["min_positive_val"].default_value = LEAST
        return config

    def _run_for_config(self, model: Any, config: Any, output_model_path: str) -> Any:
        with _casts_kept(model.load_model()):
            proto = super()._run_for_config(model, config, output_model_path).load_model()
        written = resolve_onnx_path(output_model_path, Path(model.model_path).name)
        return model_proto_to_olive_model(in_order(proto), written, config)
