"""An Olive pass: the conversion to float16, with its nodes put in order.

ONNX Runtime's converter appends the casts of inputs that two operators read behind all other nodes. A session sorts
them when it loads the model; the ONNX checker, and every reader that goes from node to node, refuses the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from olive.model.utils import resolve_onnx_path
from olive.passes.onnx.common import model_proto_to_olive_model
from olive.passes.onnx.float16_conversion import OnnxFloatToFloat16

from edgekit.jobs._order import in_order


class EdgekitFloat16(OnnxFloatToFloat16):  # type: ignore[misc]
    """As Olive's pass; each node comes after those whose outputs it reads."""

    def _run_for_config(self, model: Any, config: Any, output_model_path: str) -> Any:
        proto = super()._run_for_config(model, config, output_model_path).load_model()
        written = resolve_onnx_path(output_model_path, Path(model.model_path).name)
        return model_proto_to_olive_model(in_order(proto), written, config)
