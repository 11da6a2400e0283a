"""edgekit: turn a model into a bundle an app can ship, with evidence that it works."""

import os

__version__ = "0.1.0"

# Read by the engines when they are loaded, in this process and in its children: without these ONNX Runtime writes a
# device id into the user's home and opens connections, Olive sends a heartbeat.
for _name in ("ORT_DISABLE_TELEMETRY", "OLIVE_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
    os.environ.setdefault(_name, "1")
