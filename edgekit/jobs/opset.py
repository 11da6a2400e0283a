"""`python -m edgekit.jobs.opset REQUEST.json`: ONNX's version converter, and whether both graphs agree."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from edgekit.errors import BuildError
from edgekit.wrappers.python.agreement import largest, unlike
from edgekit.wrappers.python.protocol import Emit, serve

SAME = 1e-5  # of the largest output: two float32 graphs of the same function
RUNS = 3


def convert(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Write the model in another opset to request["out"], if ONNX's converter can and both compute the same."""
    import onnx
    from onnx import version_converter

    before = onnx.load(request["model"])
    try:
        after = version_converter.convert_version(before, request["opset"])
    except Exception as error:  # the converter raises what its C++ core raises
        lines = str(error).strip().splitlines() or ["no reason given"]
        raise BuildError(
            f"ONNX cannot convert the graph to opset {request['opset']}: {lines[0][:200]}",
            next=f"export the model with opset {request['opset']}",
        ) from None
    onnx.save(after, request["out"])
    apart = _difference(request["model"], request["out"])
    if apart > SAME:
        raise BuildError(
            f"converted to opset {request['opset']} the graph computes something else (by {apart:g})",
            next=f"export the model with opset {request['opset']}",
        )
    return {"difference": apart}


def _difference(a: str, b: str) -> float:
    """The largest difference of two models' outputs for the same random inputs, over the outputs' size."""
    import numpy as np
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    sessions = [ort.InferenceSession(path, options, providers=["CPUExecutionProvider"]) for path in (a, b)]
    worst = 0.0
    for seed in range(RUNS):
        random = np.random.default_rng(seed)
        feed = {one.name: _random(one, random) for one in sessions[0].get_inputs()}
        for x, y in zip(*(session.run(None, feed) for session in sessions), strict=True):
            if x.shape != y.shape or x.dtype != y.dtype:
                return float("inf")
            worst = max(worst, difference(x, y))
    return worst


def difference(x: Any, y: Any) -> float:
    """Of two arrays of one type and shape: the largest difference of finite values over their size (at least 1).

    Infinite where one has NaN or an infinity that the other has not there, and where what is no float differs.
    """
    import numpy as np

    if x.dtype.kind != "f":
        return 0.0 if np.array_equal(x, y) else float("inf")
    if unlike(x, y):
        return float("inf")
    a, b = (one[np.isfinite(one)].astype(np.float64) for one in (x, y))
    size = max(largest(x), 1.0)
    return float(np.abs(a / size - b / size).max(initial=0))


def _random(value: Any, random: Any) -> Any:
    """An array for one input; sizes that vary are 2."""
    import numpy as np

    shape = [size if isinstance(size, int) else 2 for size in value.shape]
    kind = value.type.removeprefix("tensor(").removesuffix(")")
    kind = {"float": "float32", "double": "float64"}.get(kind, kind)
    if kind.startswith(("float", "bfloat")):
        return random.normal(size=shape).astype(kind)
    return random.integers(0, 2, shape).astype(np.dtype(kind))


if __name__ == "__main__":
    sys.exit(serve(convert, Path(sys.argv[1])))
