"""int4 k-quant: as round-to-nearest, but each block's scale and zero point are those that lose least of its weights.

The search is llama.cpp's (make_qkx2_quants); the blocks are ONNX Runtime's, without llama.cpp's blocks of blocks.
"""

from __future__ import annotations

from typing import Any

from edgekit.kinds.llm import LlmSettings
from edgekit.model import Model
from edgekit.recipes import _olive, _on_graph

KIND = "llm"
PRECISION = "int4"
SUMMARY = "int4 k-quant of every linear layer, lm_head and embeddings"
CALIBRATED = False
RUNGS: dict[int, dict[str, Any]] = {2: {}}


def passes(model: Model, settings: LlmSettings) -> list[dict[str, Any]]:
    """KQuant, then the GenAI graph."""
    if model.architecture in _on_graph.ARCHITECTURES:
        return _on_graph.searched(model, settings, bits=4)
    overrides = _olive.ends(model, settings, head=4, embeddings=4)
    quantize = _olive.quantizer("KQuant", model, settings, embeds=True, overrides=overrides)
    return [quantize, *_olive.finish(model, settings)]
