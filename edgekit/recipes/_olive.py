"""Olive passes that several recipes share, as plain dicts."""

from __future__ import annotations

from typing import Any

from edgekit.model import Model
from edgekit.target import LlmSettings

EXTERNAL_DATA = "model.onnx.data"
EMBEDDINGS = ("lm_head", "model.embed_tokens")


def model_builder(settings: LlmSettings) -> dict[str, Any]:
    """The ONNX Runtime GenAI graph of an already quantized checkpoint; never runs remote code (0.14.1 would)."""
    return {
        "type": "ModelBuilder",
        "precision": "int4",
        "int4_accuracy_level": settings.accuracy_level,
        "extra_options": {"hf_remote": False},
    }


def tie_embeddings() -> dict[str, Any]:
    """Store the weights that lm_head and the embeddings share once: a fifth of a small model's size."""
    return {
        "type": "GraphSurgeries",
        "surgeries": [{"surgeon": "TieWordEmbeddings"}],
        "save_as_external_data": True,
        "all_tensors_to_one_file": True,
        "external_data_name": EXTERNAL_DATA,
    }


def rtn(settings: LlmSettings, overrides: dict[str, dict[str, int]]) -> dict[str, Any]:
    """Round-to-nearest int4 of every linear layer, lm_head and embeddings included, on the torch side.

    Without lm_head and embeds a tied model keeps a float32 embedding, the largest tensor of a small model.
    """
    return {
        "type": "Rtn",
        "bits": 4,
        "group_size": settings.block_size,
        "sym": False,
        "lm_head": True,
        "embeds": True,
        "overrides": overrides,
    }


def finish(model: Model, settings: LlmSettings) -> list[dict[str, Any]]:
    """What follows the quantization: the graph, and one copy of shared weights."""
    tied = model.llm is not None and model.llm.tied_embeddings
    return [model_builder(settings), *([tie_embeddings()] if tied else [])]
