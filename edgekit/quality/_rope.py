"""Rotary embeddings out of a config.json, by our own formulas: what a graph's tables must hold.

The float source and the graph's builder both read a configuration through transformers, so a key that it passes over is
wrong in both and shows in no comparison of the two. Formulas: RoFormer (arXiv 2104.09864), position interpolation
(2306.15595), YaRN (2309.00071), LongRoPE (2402.13753), and Llama 3.1's published reference code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LONG = ("longrope", "su")
# One table is enough for these: dynamic NTK is the plain embedding up to the length that the model was trained for, and
# sections of positions are all one position where there is only text.
PLAIN = ("default", "dynamic", "mrope", "none")
THETA = 10_000.0


def frequencies(config: Mapping[str, Any]) -> dict[str, tuple[Floats, float]] | None:
    """By name, the inverse frequencies [rotary dimensions / 2] and the factor of cosine and sine of each table.

    Args:
        config: a decoder's config.json, its text part's keys at the top.

    Returns: "all", or "short" and "long" where a model changes its factors, beside them "local" for layers with a
        window; None for a kind that is not known here.
    """
    scaling = config.get("rope_scaling") or {}
    kind = str(scaling.get("rope_type", scaling.get("type", "default")))
    plain = _inverse(config, float(config.get("rope_theta") or THETA))
    if kind in LONG:
        magnitude = _long_magnitude(config, scaling)
        made = {
            name: (
                plain / np.asarray(scaling[f"{name}_factor"], np.float64),
                float(scaling.get(f"{name}_mscale") or magnitude),
            )
            for name in ("short", "long")
        }
    elif kind == "linear":
        made = {"all": (plain / float(scaling["factor"]), 1.0)}
    elif kind == "llama3":
        made = {"all": (_llama3(plain, scaling), 1.0)}
    elif kind == "yarn":
        made = {"all": _yarn(plain, config, scaling)}
    elif kind in PLAIN:
        made = {"all": (plain, 1.0)}
    else:
        return None
    if config.get("rope_local_base_freq"):
        made["local"] = (_inverse(config, float(config["rope_local_base_freq"])), 1.0)
    return made


def original_length(config: Mapping[str, Any]) -> int:
    """The tokens that a model was first trained for."""
    scaling = config.get("rope_scaling") or {}
    stated = config.get("original_max_position_embeddings") or scaling.get("original_max_position_embeddings")
    return int(stated or config["max_position_embeddings"])


def _inverse(config: Mapping[str, Any], theta: float) -> Floats:
    head = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    share = config.get("partial_rotary_factor") or config.get("rotary_pct") or 1.0
    width = int(head * share)
    return np.asarray(theta ** -(np.arange(0, width, 2) / width), np.float64)


def _long_magnitude(config: Mapping[str, Any], scaling: Mapping[str, Any]) -> float:
    if scaling.get("attention_factor"):
        return float(scaling["attention_factor"])
    original = original_length(config)
    longer = config["max_position_embeddings"] / original
    return math.sqrt(1 + math.log(longer) / math.log(original)) if longer > 1 else 1.0


def _llama3(plain: Floats, scaling: Mapping[str, Any]) -> Floats:
    factor, low, high = (float(scaling[key]) for key in ("factor", "low_freq_factor", "high_freq_factor"))
    turns = float(scaling["original_max_position_embeddings"]) * plain / (2 * math.pi)
    smooth = np.clip((turns - low) / (high - low), 0, 1)
    return (1 - smooth) * plain / factor + smooth * plain


def _yarn(plain: Floats, config: Mapping[str, Any], scaling: Mapping[str, Any]) -> tuple[Floats, float]:
    theta, width = float(config.get("rope_theta") or THETA), 2 * len(plain)
    original, factor = original_length(config), float(scaling["factor"])

    def dimension(turns: float) -> float:
        return width * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(theta))

    low, high = dimension(float(scaling.get("beta_fast") or 32)), dimension(float(scaling.get("beta_slow") or 1))
    if scaling.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, width - 1)
    ramp = np.clip((np.arange(len(plain)) - low) / ((high - low) or 0.001), 0, 1)
    return plain / factor * ramp + plain * (1 - ramp), _yarn_magnitude(factor, scaling)


def _yarn_magnitude(factor: float, scaling: Mapping[str, Any]) -> float:
    def grown(weight: float) -> float:
        return 0.1 * weight * math.log(factor) + 1.0 if factor > 1 else 1.0

    if scaling.get("attention_factor") is not None:
        return float(scaling["attention_factor"])
    if scaling.get("mscale") and scaling.get("mscale_all_dim"):
        return grown(float(scaling["mscale"])) / grown(float(scaling["mscale_all_dim"]))
    return grown(1.0)
