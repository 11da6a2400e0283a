"""`python -m edgekit.inputs._trial REQUEST.json`: opens a graph in ONNX Runtime, and runs it once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from edgekit import used
from edgekit.inputs import synthetic
from edgekit.model import Model
from edgekit.used import Emit


def trial(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Open request["source"], and run it where honest inputs can be made for request["model"].

    Outcome: opens (bool); said: what ONNX Runtime said where it does not open or was not run, or empty; described
    (bool): it opens, and does not run the inputs that somebody describes.
    """
    import onnxruntime

    path = Path(request["source"])
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no common base
        return {"opens": False, "said": str(error), "described": False}
    said, described = synthetic.tried(Model.model_validate(request["model"]), path)
    return {"opens": "NOT_IMPLEMENTED" not in said, "said": said, "described": described}


if __name__ == "__main__":
    sys.exit(used.serve(trial, Path(sys.argv[1])))
