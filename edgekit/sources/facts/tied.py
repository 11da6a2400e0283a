"""Operators that tie a graph to one machine, engine or library: told from the file, with what to give instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekit.errors import SourceError
from edgekit.sources.facts.loadable import nodes_of
from edgekit.sources.facts.onnx_graph import parse

OPTIMIZED = (
    "give the graph as it was exported: this one was saved by a session that had optimized it for its own CPU "
    "(optimized_model_filepath, or onnxruntime.tools)"
)
EXTENSIONS = (
    "export the model without its pre- and post-processing: the app does that, and edgekit's `preprocess` says it "
    "(a graph of onnxruntime-extensions needs a library that edgekit's runtimes do not load)"
)
PLAIN = "export it with plain ONNX operators: edgekit's runtimes load no library of custom ones"
COMPILED = "give the ONNX graph that it was compiled from: edgekit compiles it itself (--target android-qnn-...)"
TRAINED = "export the model for inference (model.eval(), and no training operators)"

# Domains by their beginning: https://onnxruntime.ai/docs/reference/operators, and what exporters and vendors write.
DOMAINS = {
    "com.microsoft.nchwc": OPTIMIZED,
    "com.ms.internal.nhwc": OPTIMIZED,
    "com.microsoft.extensions": EXTENSIONS,
    "ai.onnx.contrib": EXTENSIONS,
    "ai.onnx.preview.training": TRAINED,
    "ai.onnx.training": TRAINED,
    "mmdeploy": "export it with mmdeploy's onnxruntime config and without its custom operators, or with torch.onnx",
    "mmcv": "export it with torch.onnx and torchvision's operators in place of mmcv's",
    "trt.plugins": "export it without TensorRT's plugins (an NMS behind the net is the app's)",
    "org.pytorch.aten": "export it with torch.onnx.export(dynamo=True): the fallback to ATen runs in PyTorch alone",
    "aten": "export it with torch.onnx.export(dynamo=True): the fallback to ATen runs in PyTorch alone",
}
KNOWN = frozenset(("", "ai.onnx", "ai.onnx.ml", "com.microsoft"))
LOCALE = "StringNormalizer"


def check(path: Path, proto: Any = None) -> None:
    """Refuse a graph with an operator that the runtimes of no target have, or not with these attributes.

    Args:
        proto: what the file holds, where it is parsed already.

    Raises:
        SourceError: the operator, its domain, and what to give instead.
    """
    proto = proto or parse(path)
    own = {(function.domain, function.name) for function in proto.functions}
    for node in nodes_of(proto):
        if (node.domain, node.op_type) in own:
            continue
        if node.op_type == "EPContext" and node.domain in KNOWN:
            source = next((name.s.decode(errors="replace") for name in node.attribute if name.name == "source"), "")
            raise _refused(
                path, node, f"it is compiled for one execution provider{f' ({source})' * bool(source)}", COMPILED
            )
        if node.domain not in KNOWN:
            raise _refused(path, node, "no target's ONNX Runtime has it", _instead(node.domain))
        if node.op_type == LOCALE and _localized(node):
            why = "it needs a locale of the operating system, which not every device has"
            raise _refused(path, node, why, "normalize the text in the app, and cut the operator out of the graph")


def _instead(domain: str) -> str:
    """What to give instead of operators of this domain."""
    return next((what for name, what in DOMAINS.items() if domain == name or domain.startswith(f"{name}.")), PLAIN)


def _refused(path: Path, node: Any, why: str, instead: str) -> SourceError:
    operator = f"{node.op_type} of the domain {node.domain or 'ai.onnx'!r}"
    return SourceError(f"{path.name} cannot run outside where it was made: {operator}: {why}", next=instead)


def _localized(node: Any) -> bool:
    """Whether a StringNormalizer asks the system for a locale (en_US, where it names none) to change a case."""
    values = {attribute.name: attribute for attribute in node.attribute}
    changes = "case_change_action" in values and values["case_change_action"].s not in (b"NONE", b"")
    folds = "is_case_sensitive" in values and not values["is_case_sensitive"].i and "stopwords" in values
    locale = values["locale"].s if "locale" in values else b"en_US"
    return (changes or folds) and locale not in (b"", b"C", b"POSIX")
