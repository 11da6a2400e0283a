"""Graph surgery: normalizations add the epsilon that the source's configuration names.

GenAI's graph builder knows one key for it, rms_norm_eps, and writes 1e-6 into the graph of a model that has another:
ten times less than Phi-2's and Nemotron's 1e-5.
"""

from __future__ import annotations

import json
from pathlib import Path

import onnx
from olive.passes.onnx.graph_surgeries import ProtoSurgeon

from edgekit.errors import BuildError

OPERATORS = (
    "LayerNormalization",
    "SkipLayerNormalization",
    "SimplifiedLayerNormalization",
    "SkipSimplifiedLayerNormalization",
)


class EdgekitNormEpsilon(ProtoSurgeon):  # type: ignore[misc]
    """Sets `epsilon` of every normalization.

    Args:
        source: the folder of config.json.
        key: of the epsilon in it; a configuration without it keeps what the builder wrote.

    Raises:
        BuildError: the value is no epsilon, or the graph has no normalization.
    """

    edgekit_lean = True

    def __init__(self, source: str, key: str) -> None:
        super().__init__()
        self.source, self.key = Path(source), key

    def __call__(self, model: onnx.ModelProto) -> onnx.ModelProto:
        value = json.loads((self.source / "config.json").read_text(encoding="utf-8")).get(self.key)
        if value is None:
            return model
        if type(value) not in (int, float) or not 0 <= value < 1:
            raise BuildError(f"config.json: {self.key} is {str(value)[:40]!r}, no epsilon", next="correct config.json")
        nodes = [node for node in model.graph.node if node.op_type in OPERATORS]
        if not nodes:
            raise BuildError("the graph has no normalization", next="this is a bug in the recipe: report it")
        for node in nodes:
            kept = [attribute for attribute in node.attribute if attribute.name != "epsilon"]
            del node.attribute[:]
            node.attribute.extend([*kept, onnx.helper.make_attribute("epsilon", float(value))])
        return model
