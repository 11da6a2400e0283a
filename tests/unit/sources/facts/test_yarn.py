"""YaRN in full is the same YaRN, by our own formulas and by the graph builder's; what it cannot say is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from edgekit.errors import SourceError
from edgekit.quality import _rope
from edgekit.sources.facts import yarn

pytestmark = pytest.mark.unit

QWEN = {"hidden_size": 3584, "num_attention_heads": 28, "max_position_embeddings": 32768, "rope_theta": 1e6}
LLAMA = {"hidden_size": 4096, "num_attention_heads": 32, "max_position_embeddings": 4096}
CASES: dict[str, dict[str, Any]] = {
    "Qwen2.5": {**QWEN, "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}},
    "Qwen3": {**QWEN, "head_dim": 128, "rope_scaling": {"rope_type": "yarn", "factor": 2.0}},
    "Llama 2": {**LLAMA, "rope_scaling": {"rope_type": "yarn", "factor": 16.0, yarn.ORIGINAL: 4096}},
    "its length above": {**LLAMA, yarn.ORIGINAL: 4096, "rope_scaling": {"rope_type": "yarn", "factor": 16.0}},
    "betas": {**LLAMA, "rope_scaling": {"rope_type": "yarn", "factor": 4, "beta_fast": 64, yarn.ORIGINAL: 8192}},
    "not rounded": {**LLAMA, "rope_scaling": {"rope_type": "yarn", "factor": 4, "truncate": False}},
    "a factor of its own": {**LLAMA, "rope_scaling": {"rope_type": "yarn", "factor": 4, "attention_factor": 0.9}},
    "mscale": {**LLAMA, "rope_scaling": {"rope_type": "yarn", "factor": 40, "mscale": 1.0, "mscale_all_dim": 0.7}},
    "mscale alone": {**LLAMA, "rope_scaling": {"rope_type": "yarn", "factor": 40, "mscale": 0.5}},
}


def as_built(config: dict[str, Any], scaling: dict[str, Any]) -> tuple[Any, float]:
    """What GenAI's builder 0.14.1 makes of it: make_inv_freq_rescaled_with_ntk and make_mscale of its base.py."""
    head = config.get("head_dim", config["hidden_size"] // config["num_attention_heads"])
    theta, original, pairs = config.get("rope_theta", 1e4), scaling[yarn.ORIGINAL], head / 2
    low, high = (
        pairs * np.log(original / (scaling[beta] * 2 * np.pi)) / np.log(theta) for beta in ("beta_fast", "beta_slow")
    )
    assert 0 < low < high < pairs - 1
    plain = theta ** -(np.arange(0, head, 2) / head)
    mask = 1 - np.clip((np.arange(head // 2) - low) / (high - low), 0, 1)
    return plain / scaling["factor"] * (1 - mask) + plain * mask, scaling["mscale"]


@pytest.mark.parametrize("case", CASES)
def test_in_full_it_is_the_same(case: str) -> None:
    config, lines = CASES[case], list[str]()
    written = yarn.in_full(config, lines)
    assert lines and "YaRN written in full" in lines[0]
    expected, again = _rope.frequencies(config), _rope.frequencies(written)
    assert expected is not None and again is not None
    built, magnitude = as_built(written, written["rope_scaling"])
    for waves, factor in (again["all"], (built, magnitude)):
        assert np.allclose(waves, expected["all"][0], rtol=1e-5) and math.isclose(factor, expected["all"][1])


@pytest.mark.parametrize("scaling", [None, {"rope_type": "linear", "factor": 2.0}, {"rope_type": "default"}, "yarn"])
def test_what_is_no_yarn_stays(scaling: Any) -> None:
    config = {**LLAMA, "rope_scaling": scaling}
    assert yarn.in_full(config, []) == config


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_type": "phi3"}, "no YaRN for phi3"),
        ({"model_type": "gemma3_text"}, "no YaRN for gemma3_text"),
        ({"partial_rotary_factor": 0.5}, "part of a head"),
        ({"max_position_embeddings": 65536}, "ends before the last"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": "four"}}, "factor is 'four'"),
        ({"hidden_size": None}, "hidden_size is 'None'"),
    ],
)
def test_what_the_builder_has_no_words_for(changes: dict[str, Any], words: str) -> None:
    config = {**LLAMA, "rope_scaling": {"rope_type": "yarn", "factor": 4.0}, **changes}
    with pytest.raises(SourceError, match=words) as caught:
        yarn.in_full(config, [])
    assert caught.value.exit_code == 4 and caught.value.next
