"""The names that plain decoders' weights must have are those of transformers' own classes."""

from __future__ import annotations

from typing import Any

import pytest

from edgekit.sources.facts import weight_names
from tests import needs

pytestmark = pytest.mark.olive
SIZES = {"num_hidden_layers": 2, "hidden_size": 32, "intermediate_size": 48, "vocab_size": 64, "pad_token_id": 0}
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2}


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("kind", weight_names.PARTS)
def test_every_class_has_these_weights(kind: str, biased: bool) -> None:
    torch, transformers = needs.module("torch"), needs.module("transformers")
    biases: dict[str, Any] = dict.fromkeys(("attention_bias", "mlp_bias"), True) if biased else {}
    config = transformers.AutoConfig.for_model(kind, **SIZES, **HEADS, **biases)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    names = [name for name in model.state_dict() if name != "lm_head.weight"]
    stated = {**config.to_dict(), "architectures": [type(model).__name__], "model_type": kind}
    assert {name.removeprefix("model.") for name in names} == weight_names.wanted(stated, 2)
