"""int8 weights of a language model: within a hundredth of a nat of float at half of bf16's size."""

from __future__ import annotations

from typing import Any

from edgekit.kinds.llm import LlmSettings
from edgekit.model import Model
from edgekit.recipes import _olive, _on_graph

KIND = "llm"
PRECISION = "int8"
SUMMARY = "int8 round-to-nearest weights of every linear layer, lm_head and embeddings"
CALIBRATED = False
RUNGS: dict[int, dict[str, Any]] = {9: {}}


def passes(model: Model, settings: LlmSettings) -> list[dict[str, Any]]:
    """Rtn in 8 bits, then the GenAI graph."""
    if model.architecture in _on_graph.ARCHITECTURES:
        return _on_graph.round_to_nearest(model, settings, layers=8, ends=8)
    overrides = _olive.ends(model, settings, head=8, embeddings=8)
    rtn = _olive.quantizer("Rtn", model, settings, bits=8, embeds=True, overrides=overrides)
    return [rtn, *_olive.finish(model, settings)]
