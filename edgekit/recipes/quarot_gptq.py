"""QuaRot and GPTQ: the residual stream is rotated, which spreads outliers over all channels, then quantized by GPTQ.

The function stays the same. Norms are folded into the weights behind them, so tied embeddings come apart.
"""

from __future__ import annotations

from typing import Any

from edgekit.kinds.llm import LlmSettings
from edgekit.model import Model
from edgekit.recipes import _olive

KIND = "llm"
PRECISION = "int4"
SUMMARY = "int4 GPTQ of a rotated residual stream (QuaRot), calibrated on text; int8 embeddings and lm_head"
CALIBRATED = True

HADAMARD = (1, 12, 20, 28, 36, 40, 52, 60, 108, 140, 156, 172)  # times a power of two: the sizes Olive has a matrix of


def passes(model: Model, settings: LlmSettings) -> list[dict[str, Any]]:
    """QuaRot, GPTQ, both ends, then the GenAI graph."""
    rotated = model
    if model.llm is not None:
        rotated = model.model_copy(update={"llm": model.llm.model_copy(update={"tied_embeddings": False})})
    ends = _olive.quantize_ends(rotated, settings, head=8, embeddings=8)
    return [rotation(model), _olive.gptq(rotated, settings), ends, *_olive.finish(rotated, settings)]


def rotation(model: Model) -> dict[str, Any]:
    """The pass that rotates the residual stream, always the same way."""
    return {"type": "QuaRot", "rotate_mode": _mode(model), "seed": 0}


def _mode(model: Model) -> str:
    """Hadamard where the sizes allow it: its entries are all of one size, so no channel is favoured."""
    sizes = (model.llm.hidden_size, model.llm.head_size) if model.llm else ()
    return "hadamard" if all(_has_hadamard(size) for size in sizes) else "random"


def _has_hadamard(size: int) -> bool:
    """Olive takes the first of its matrices, largest first, whose size divides this one."""
    factor = next((one for one in sorted(HADAMARD, reverse=True) if size % one == 0), 1)
    return (size // factor).bit_count() == 1
