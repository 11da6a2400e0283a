"""Which decoders can be built: one table, asked as soon as config.json is read.

Before weights are fetched, and before anybody is asked to trust the code beside them: for a model that cannot be built
there is nothing to trust. What "builds" is what the pinned release of GenAI's graph builder makes a graph of that
computes the model: each was compared with transformers in float32, but for those that transformers does not have
(ChatGLM, InternLM2).
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

from edgekit.errors import SourceError

Answer = Literal["builds", "text part", "no"]


class Row(NamedTuple):
    """What can be built of an architecture.

    Attributes:
        answer: all of it, only what reads text, or nothing.
        members: the published models that are meant, for those who know them by name.
        reason: of anything but "builds".
        next: what to do instead.
    """

    answer: Answer
    members: str = ""
    reason: str = ""
    next: str = ""


BUILDS = Row("builds")
MINI = "take Phi-4-mini or Phi-3.5-mini (Phi3ForCausalLM), which are built"
OTHER = (
    "GenAI's graph builder 0.14.1 makes another {} of it: its logits are off by 9 and more where others' are by 1e-4"
)
FLOAT = "take another model; a later GenAI may have it"
MIXTURE = Row(
    "no",
    "Phi-3.5-MoE, Phi-mini-MoE",
    "it is a mixture of experts with LongRoPE, whose graph GenAI builds for CUDA alone",
    MINI,
)
SMALL = Row(
    "no",
    "Phi-3-small-8k, -128k",
    "its block-sparse attention and its tiktoken tokenizer exist as its own Python code alone: there is no "
    "tokenizer.json that a device could read",
    "take Phi-3-mini or Phi-4-mini (Phi3ForCausalLM), which are built",
)
TABLE: dict[str, Row] = {
    "ChatGLMForConditionalGeneration": BUILDS,
    "ChatGLMModel": BUILDS,
    "Ernie4_5ForCausalLM": BUILDS,
    "Gemma2ForCausalLM": BUILDS,
    "Gemma3ForCausalLM": BUILDS,
    "GemmaForCausalLM": BUILDS,
    "GraniteForCausalLM": BUILDS,
    "HunYuanDenseV1ForCausalLM": BUILDS,
    "InternLM2ForCausalLM": BUILDS,
    "LlamaForCausalLM": BUILDS,
    "MistralForCausalLM": BUILDS,
    "NemotronForCausalLM": BUILDS,
    "PhiForCausalLM": Row("builds", "Phi-1, 1.5, 2"),
    "Phi3ForCausalLM": Row(
        "builds",
        "Phi-3-mini, Phi-3-medium, Phi-3.5-mini, Phi-4, Phi-4-reasoning, -reasoning-plus, Phi-4-mini, -mini-reasoning",
    ),
    "Qwen2ForCausalLM": BUILDS,
    "Qwen3ForCausalLM": BUILDS,
    "SmolLM3ForCausalLM": Row(
        "no",
        "SmolLM3",
        "every fourth of its layers has no rotary embedding, and GenAI's graph builder 0.14.1 gives it one or ends",
        FLOAT,
    ),
    "Phi3VForCausalLM": Row("text part", "Phi-3-vision, Phi-3.5-vision", "pictures are not read"),
    "Phi4MMForCausalLM": Row("text part", "Phi-4-multimodal", "pictures and speech are not read"),
    "Phi4MultimodalForCausalLM": Row("text part", "Phi-4-multimodal", "pictures and speech are not read"),
    "GptOssForCausalLM": Row("no", "gpt-oss", OTHER.format("mixture of experts"), FLOAT),
    "Lfm2ForCausalLM": Row(
        "no", "LFM2", "GenAI's graph builder 0.14.1 reads settings of it that transformers 4 does not have", FLOAT
    ),
    "OlmoForCausalLM": Row("no", "OLMo", OTHER.format("normalization (RMS for LayerNorm)"), FLOAT),
    "PhiMoEForCausalLM": MIXTURE,
    "PhimoeForCausalLM": MIXTURE,
    "Phi3SmallForCausalLM": SMALL,
    "Phi4FlashForCausalLM": Row(
        "no",
        "Phi-4-mini-flash-reasoning",
        "it is SambaY, of state-space layers and gated memory units, which GenAI has no graph for",
        "take Phi-4-mini-reasoning (Phi3ForCausalLM), which is built",
    ),
    "PhiSilicaForCausalLM": Row(
        "no",
        "Phi Silica",
        "it is part of Windows and its weights are not published",
        "call it through the Windows App SDK (Microsoft.Windows.AI.Text.LanguageModel); " + MINI,
    ),
}
SILICA = re.compile(r"(hf:[\w.-]+/)?phi[-_ ]?(\d(\.\d)?[-_ ]?)?silica(@\S+)?", re.IGNORECASE)


def of(architecture: str) -> Row:
    """The row of a decoder's class; one that is not in the table cannot be built.

    Args:
        architecture: of config.json, "Phi3ForCausalLM".
    """
    unknown = Row("no", "", "GenAI's graph builder has no graph for it", f"one of: {', '.join(built())}")
    return TABLE.get(architecture, unknown)


def built() -> list[str]:
    """The classes that are built whole."""
    return [name for name, row in TABLE.items() if row.answer == "builds"]


def check(architecture: str) -> Row:
    """The row of a decoder of which something can be built.

    Raises:
        SourceError: nothing can, with the reason.
    """
    row = of(architecture)
    if row.answer == "no":
        raise SourceError(f"{architecture} cannot be built: {row.reason}", next=row.next)
    return row


def same_model(architecture: str, model_type: object) -> None:
    """Nothing, where a class and a model type are of one model; transformers' table is searched, nothing is imported.

    The graph is built by the class, the float reference loaded by the type: of two models the one is never the other.

    Raises:
        SourceError: they are of two models.
    """
    spec = find_spec("transformers")
    if spec is None or not spec.submodule_search_locations or not isinstance(model_type, str):
        return
    table = Path(spec.submodule_search_locations[0]) / "models" / "auto" / "modeling_auto.py"
    pairs = re.findall(r'\("([\w-]+)", "(\w+)"\)', table.read_text(encoding="utf-8")) if table.is_file() else []
    types = {kind for kind, name in pairs if name == architecture}
    if types and model_type not in types and any(kind == model_type for kind, _ in pairs):
        raise SourceError(
            f"config.json names {architecture}, which is of the model type {min(types, key=len)!r}, and model_type "
            f"{model_type!r}: they are two models",
            next="correct config.json, or get it again from the model's publisher",
        )


def unpublished(ref: str) -> SourceError | None:
    """Why a reference leads nowhere: it names a model that nobody can download."""
    if not SILICA.fullmatch(ref):
        return None
    row = TABLE["PhiSilicaForCausalLM"]
    return SourceError(f"Phi Silica cannot be built: {row.reason}", next=row.next)


def generates(named: str, task: str | None) -> None:
    """Refuse another task of a decoder than the one that it has."""
    if task not in (None, "text-generation"):
        raise SourceError(
            f"{named} generates text, it cannot be built for the task {task!r}",
            next="leave the task out",
        )
