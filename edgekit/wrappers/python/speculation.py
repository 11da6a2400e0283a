"""Speculation without a draft model: what an answer repeats of its own text is guessed, and read in one pass.

The engine looks for the last tokens further up in the text, takes what followed there for a guess, and keeps as much of
it as the model itself would have said: copied and rewritten text, JSON and calls come several tokens a pass. A pass of
several tokens rounds otherwise than one of one token, so after some tokens the answer may be worded otherwise: goldens
and gates never speculate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import onnxruntime_genai as og

from .manifest import Refused

if TYPE_CHECKING:
    from .answers import Sampling
    from .llm import LlmBundle

Speculate = Literal["ngram"]
NAME = "speculate"  # among what is fixed for a generator
OPTIONS = {"ngram_size": 3, "max_draft_tokens": 8}  # benchmarks/speculate.py compares others
ENGINE = "onnxruntime-genai>=0.16"


def require(speculate: str, bundle: LlmBundle, ids: list[int], new_tokens: int, drawn: Sampling) -> None:
    """Refuse what cannot be speculated.

    Raises:
        Refused: another way than "ngram", an engine that has none, a model or a way of drawing that leaves no guess.
    """
    if speculate != "ngram":
        raise Refused(f"there is no speculation {speculate!r}", next="speculate by 'ngram'", code="usage")
    if not hasattr(og.GeneratorParams, "set_speculative_options"):
        raise Refused(
            f"onnxruntime-genai {og.__version__} cannot speculate: it came with 0.16",
            next=f'pip install "{ENGINE}", or leave speculation out; what is built for an earlier one runs on it',
            code="tool-missing",
            axis="onnxruntime_genai",
        )
    beyond, longest = bundle.reread_beyond, min(len(ids) + new_tokens, bundle.max_length)
    why = {
        "its graphs take a fixed number of tokens": bundle.window > 1,
        "min_p chooses among every token's logits": drawn.reach is not None,
        f"its text is read anew where it grows past {beyond} tokens": bundle.crosses(len(ids), longest),
    }
    for reason, applies in why.items():
        if applies:
            raise Refused(f"this answer cannot be speculated: {reason}", next="leave speculation out", code="usage")


def passes(generator: og.Generator) -> int:
    """Of the model behind the prompt, so far; only of a generator that speculates."""
    stats: dict[str, Any] = generator.get_speculative_stats()
    return int(stats["target_forward_passes"]) + int(stats["standard_fallback_steps"])
