"""A size for the whole bundle: what recipes say to the pass that fits matrices into it."""

from __future__ import annotations

from typing import Any

from edgekit.kinds.llm import LlmSettings
from edgekit.model import Model
from edgekit.predict import allocation, weights
from edgekit.recipes import _olive

BLOCKS = (32, 64, 128)  # weights per scale; the settings' block_size is the least


def fit(model: Model, settings: LlmSettings) -> dict[str, Any]:
    """Names bits and block of every matrix for the passes behind it.

    Raises:
        UsageError: the size cannot be reached, as far as the model's facts tell; the pass counts to the byte.
    """
    blocks = _blocks(model, settings)
    size = allocation.size(settings.size) if settings.size else 0
    beside = weights.beside(model)
    if size and model.llm is not None:
        allocation.refuse(size, *weights.reachable(model, blocks, symmetric=settings.symmetric))
    return {
        "type": "EdgekitFitSize",
        "size": size,
        "average_bits": settings.average_bits,
        "blocks": blocks,
        "beside": beside,
        "ends": _bits(settings),
        "bits": 4,
        "group_size": _olive.block(settings, model),
        "sym": settings.symmetric,
        "source": "${SOURCE}",
        "data_config": _olive.calibration_text(settings),
    }


def asked(settings: LlmSettings) -> dict[str, dict[str, int]]:
    """The bits of lm_head and embeddings, where the settings say them."""
    return {name: {"bits": count} for name, count in _bits(settings).items() if count != _olive.UNQUANTIZED}


def _bits(settings: LlmSettings) -> dict[str, int]:
    bits = {_olive.HEAD: settings.lm_head_bits, _olive.EMBEDDINGS: settings.embedding_bits}
    return {name: count for name, count in bits.items() if count is not None}


def _blocks(model: Model, settings: LlmSettings) -> list[int]:
    least = _olive.block(settings, model)
    return [least, *(block for block in BLOCKS if block > least > 0)]
