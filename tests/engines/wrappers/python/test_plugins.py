"""An execution provider that the process knows but that opens nothing is no execution provider."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import needs
from tests.engines.wrappers.conformance import changed

pytestmark = pytest.mark.runtimes

REGISTERED = """
import json, sys
import onnxruntime, onnxruntime_qnn
from edgekit.wrappers.python.__main__ import act
from edgekit.wrappers.python.manifest import Refused
onnxruntime.register_execution_provider_library("QNNExecutionProvider", onnxruntime_qnn.get_library_path())
assert "QNNExecutionProvider" in onnxruntime.get_available_providers()
try:
    print(json.dumps(act({"action": "load", "bundle": sys.argv[1]}, lambda *said, **fields: None)))
except Refused as error:
    print(json.dumps({"axis": error.axis, "message": error.message}))
"""


def test_a_session_that_fell_back_to_the_cpu_is_refused(tensor_bundle: Path, tmp_path: Path) -> None:
    """ONNX Runtime names a registered plugin as available, opens the model without it, and says nothing."""
    needs.module("onnxruntime_qnn")

    def on_qnn(manifest: dict[str, Any]) -> None:
        manifest["variants"][0].update(ep="qnn")

    bundle = changed(tensor_bundle, tmp_path, on_qnn)
    done = subprocess.run(
        [sys.executable, "-c", REGISTERED, str(bundle)], capture_output=True, text=True, check=True, timeout=120
    )
    refused = json.loads(done.stdout.splitlines()[-1])
    assert refused["axis"] == "ep", refused
    assert "execution provider qnn" in refused["message"]
