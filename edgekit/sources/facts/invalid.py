"""What to do about a graph that the ONNX checker refuses, by what it says."""

from __future__ import annotations

import re

AGAIN = "export it again with a current exporter"
OLDER = "export it for an older release (torch: opset_version=17; onnx: ir_version=8)"
UNKNOWN = re.compile(r"No Op registered for (\w+) with domain_version of (\d+)")
GONE = re.compile(r"Op registered for (\w+) is deprecated in domain_version of (\d+)")


def advice(said: str) -> str:
    """The next step for somebody who has the graph's exporter at hand."""
    if "ir_version" in said and "higher than" in said:
        return OLDER
    if unknown := UNKNOWN.search(said):
        versions = _versions(unknown[1])
        if later := [version for version in versions if version > int(unknown[2])]:
            return f"export it with opset {later[0]}, which has {unknown[1]} (torch: opset_version={later[0]})"
        return (
            f"export it without {unknown[1]}: it is no operator of ONNX, but a plugin's, as those of TensorRT and "
            "mmdeploy (of a YOLO: export without end2end or NMS)"
        )
    if gone := GONE.search(said):
        return (
            f"export it again with a current exporter, or with the last opset that has {gone[1]}, and let "
            "onnx.version_converter convert that"
        )
    return AGAIN


def _versions(operator: str) -> list[int]:
    """The opsets of ONNX that brought the operator, or changed it."""
    from onnx import defs

    schemas = defs.get_all_schemas_with_history()
    return sorted({schema.since_version for schema in schemas if schema.name == operator and not schema.domain})
