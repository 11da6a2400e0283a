"""Which boxes a better one of their class leaves standing: ONNX's operator NonMaxSuppression, run by ONNX Runtime."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.quality._layouts import LEAST, MOST, SAME


def suppress(corners: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Class and box of each that is kept, [kept, 2].

    Args:
        corners: [n, 4]: left, top, right, bottom.
        scores: [n, classes]; a box counts for each class of which its score is above LEAST.
    """
    some = np.flatnonzero(scores.max(axis=1) >= LEAST) if scores.size else np.empty(0, np.int64)
    if not len(some):
        return np.empty((0, 2), np.int64)
    feed = {"boxes": corners[some][None].astype(np.float32), "scores": scores[some].T[None].astype(np.float32)}
    kept = _session().run(None, feed)[0]
    return np.column_stack([kept[:, 1], some[kept[:, 2]]])


@cache
def _session() -> Any:
    import onnxruntime
    from onnx import TensorProto, helper

    limits = {"most": (TensorProto.INT64, MOST), "same": (TensorProto.FLOAT, SAME), "least": (TensorProto.FLOAT, LEAST)}
    fixed = [helper.make_tensor(name, kind, [1], [value]) for name, (kind, value) in limits.items()]
    node = helper.make_node("NonMaxSuppression", ["boxes", "scores", *limits], ["kept"])
    inputs: dict[str, list[str | int | None]] = {"boxes": [1, "n", 4], "scores": [1, "classes", "n"]}
    graph = helper.make_graph(
        [node],
        "suppress",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("kept", TensorProto.INT64, ["kept", 3])],
        fixed,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
