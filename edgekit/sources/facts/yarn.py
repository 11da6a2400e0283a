"""YaRN, said so that GenAI's graph builder and transformers read one and the same of it.

The builder (0.14.1) knows YaRN by `beta_fast` alone and passes over it without, does not round the range of its
corrections, has no `attention_factor`, and takes `mscale` for the factor itself. So the range is rounded here, the
betas are those that give it, and the factor is written where each of the two looks. Formulas: arXiv 2309.00071 and
transformers' modeling_rope_utils.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from edgekit.errors import SourceError

ORIGINAL = "original_max_position_embeddings"
THETA, FAST, SLOW = 10_000.0, 32.0, 1.0  # of a configuration that does not say
INSIDE = 1e-6  # the builder takes no border that lies on the first or the last pair of dimensions
OTHERS = ("phi3", "phi4_multimodal", "gemma3_text")  # have LongRoPE, or two rotary embeddings
NEXT = "give the checkpoint without rope_scaling, for texts of the length that it was first trained for"


def in_full(config: dict[str, Any], lines: list[str]) -> dict[str, Any]:
    """A decoder's config.json with its YaRN in full, and a line that says so; unchanged where it has none.

    Raises:
        SourceError: as `spelled_out`.
    """
    scaling = spelled_out(config)
    if scaling is None:
        return config
    lines.append(
        f"config.json: YaRN written in full, as GenAI's graph builder reads it: beta_fast {scaling['beta_fast']:.6g}, "
        f"beta_slow {scaling['beta_slow']:.6g} (range rounded), attention_factor {scaling['attention_factor']:.6g}"
    )
    return {**config, "rope_scaling": scaling, **({ORIGINAL: scaling[ORIGINAL]} if ORIGINAL in config else {})}


def spelled_out(config: Mapping[str, Any]) -> dict[str, Any] | None:
    """The rope_scaling of a decoder's config.json in full; None where it is not YaRN.

    Raises:
        SourceError: the builder has no words for it (another kind of model, part of a head that is turned, corrections
            that end beyond the last pair of dimensions), or a number is none.
    """
    scaling = config.get("rope_scaling")
    if not isinstance(scaling, Mapping) or scaling.get("rope_type", scaling.get("type")) != "yarn":
        return None
    kind = str(config.get("model_type"))
    if kind in OTHERS or (config.get("partial_rotary_factor") or 1.0) != 1.0:
        what = f"no YaRN for {kind}" if kind in OTHERS else "no YaRN of part of a head"
        raise SourceError(f"config.json: GenAI's graph builder has {what}", next=NEXT)
    stated = scaling.get(ORIGINAL) or config.get(ORIGINAL) or config.get("max_position_embeddings")
    head = config.get("head_dim") or int(_number(config, "hidden_size") // _number(config, "num_attention_heads"))
    original, theta, pairs = int(stated or 0), float(config.get("rope_theta") or THETA), head // 2
    if original < 1 or theta <= 1 or pairs < 2 or _number(scaling, "factor") <= 0:
        raise SourceError("config.json: YaRN's factor, length, theta or head size is none", next="correct config.json")
    low, high = _borders(scaling, original, theta, pairs)
    if not low < high <= pairs - 1:
        raise SourceError(
            f"config.json: YaRN corrects pairs {low:g} to {high:g} of the {pairs} of a head, and GenAI's graph builder "
            "takes a range that ends before the last",
            next=NEXT,
        )
    low, high = max(low, INSIDE), min(high, pairs - 1 - INSIDE)
    attention = _attention(scaling)
    return {
        "rope_type": "yarn",
        "factor": float(scaling["factor"]),
        ORIGINAL: original,
        "beta_fast": _turns(low, original, theta, pairs),
        "beta_slow": _turns(high, original, theta, pairs),
        "truncate": False,
        "attention_factor": attention,
        "mscale": attention,
    }


def _number(of: Mapping[str, Any], key: str) -> float:
    value = of.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value:
        raise SourceError(f"config.json: {key} is {str(value)[:40]!r}, no number", next="correct config.json")
    return float(value)


def _borders(scaling: Mapping[str, Any], original: int, theta: float, pairs: int) -> tuple[float, float]:
    """Between which pairs of dimensions the frequencies change over."""

    def pair(turns: float) -> float:
        return pairs * math.log(original / (turns * 2 * math.pi)) / math.log(theta)

    low, high = pair(float(scaling.get("beta_fast") or FAST)), pair(float(scaling.get("beta_slow") or SLOW))
    if scaling.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    return max(low, 0), min(high, 2 * pairs - 1)


def _turns(border: float, original: int, theta: float, pairs: int) -> float:
    """The beta whose border this is."""
    return float(original / (2 * math.pi) * theta ** (-border / pairs))


def _attention(scaling: Mapping[str, Any]) -> float:
    """The factor of cosine and sine."""
    factor = float(scaling["factor"])

    def grown(weight: float) -> float:
        return 0.1 * weight * math.log(factor) + 1.0 if factor > 1 else 1.0

    if scaling.get("attention_factor") is not None:
        return float(scaling["attention_factor"])
    if scaling.get("mscale") and scaling.get("mscale_all_dim"):
        return grown(float(scaling["mscale"])) / grown(float(scaling["mscale_all_dim"]))
    return grown(1.0)
