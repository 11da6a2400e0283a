"""int4 round-to-nearest, everything in 4 bits: the smallest bundle and the quickest build."""

from __future__ import annotations

from typing import Any

from edgekit.kinds.llm import LlmSettings
from edgekit.model import Model
from edgekit.recipes import _olive, _on_graph

KIND = "llm"
PRECISION = "int4"
SUMMARY = "int4 round-to-nearest of every linear layer, lm_head and embeddings: the smallest"
CALIBRATED = False
RUNGS: dict[int, dict[str, Any]] = {1: {}}


def passes(model: Model, settings: LlmSettings) -> list[dict[str, Any]]:
    """Rtn, then the GenAI graph."""
    if model.architecture in _on_graph.ARCHITECTURES:
        return _on_graph.round_to_nearest(model, settings, layers=4, ends=4)
    overrides = _olive.ends(model, settings, head=4, embeddings=4)
    rtn = _olive.quantizer("Rtn", model, settings, embeds=True, overrides=overrides)
    return [rtn, *_olive.finish(model, settings)]
