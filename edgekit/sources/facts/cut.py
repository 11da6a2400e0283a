"""Whether the runtime's engine can cut text as a decoder's tokenizer does; what it cannot is refused on opening.

ONNX Runtime GenAI takes its way to cut from tokenizer_class and reads tokenizer.json by it. What it makes of each class
of transformers was tried with 0.14.1 (tests/engines/sources/facts/test_cut.py does so again): every other class, and a
model of another type than a class has, stops it with an exception of its JSON reader, minutes after the build began.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.errors import SourceError

Json = Mapping[str, Any]
# Classes without "Tokenizer" and "Fast", by the type of the model in tokenizer.json.
UNIGRAM = ("DebertaV2", "T5", "XLMRoberta")
BPE = (
    *("Baichuan", "CLIP", "ChatGLM", "CodeGen", "CodeLlama", "GPT2", "GPTNeoX", "Gemma", "InternLM2", "Llama", "Phi3"),
    *("PreTrained", "Qwen2", "Whisper", *UNIGRAM),
)
READS = {"BPE": BPE, "Unigram": UNIGRAM}
CUTS = {"WordLevel": "whole words", "WordPiece": "words into pieces of a list"}
WHERE = "tokenizer_config.json"


def check(settings: Json, tokenizer: Json) -> None:
    """Refuse what no runtime of a bundle cuts as the model was trained with.

    Args:
        settings: tokenizer_config.json.
        tokenizer: tokenizer.json, which has a model with a vocabulary.

    Raises:
        SourceError: a type of model, a class, or the two together, that the engine does not read.
    """
    kind, named = kind_of(tokenizer["model"]), str(settings.get("tokenizer_class") or "")
    if kind not in READS:
        raise SourceError(
            f"tokenizer.json is a {kind}, which cuts {CUTS.get(kind, 'in a way of its own')}: ONNX Runtime GenAI reads "
            f"{' and '.join(READS)} alone, so no app could put text into this model",
            next="give a checkpoint whose tokenizer is a BPE",
        )
    short = named.removesuffix("Fast").removesuffix("Tokenizer")
    if kind == "Unigram" and short not in UNIGRAM:
        raise SourceError(
            f"tokenizer.json is a Unigram, and {WHERE} calls it {named or 'nothing'}: ONNX Runtime GenAI reads one as "
            f"{', '.join(f'{name}Tokenizer' for name in UNIGRAM)} alone",
            next=f"try tokenizer_class T5Tokenizer in {WHERE}: the gate tells whether it gives the same ids",
        )
    if named and short not in BPE and "auto_map" not in settings:
        raise SourceError(
            f"{WHERE} calls the tokenizer {named[:60]}, a class that ONNX Runtime GenAI does not read",
            next=f"set tokenizer_class to PreTrainedTokenizerFast in {WHERE}: it goes by tokenizer.json alone",
        )


def kind_of(model: Json) -> str:
    """The type of a tokenizer.json's model; of old files, which say none, by what it holds, as `tokenizers` does."""
    if isinstance(model.get("type"), str):
        return str(model["type"])
    if isinstance(model.get("vocab"), list):
        return "Unigram"
    if "merges" in model:
        return "BPE"
    return "WordPiece" if "continuing_subword_prefix" in model else "WordLevel"
