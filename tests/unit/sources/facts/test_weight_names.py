"""Which tensors a plain decoder must have, and may: what transformers would make up or pass over is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edgekit.errors import SourceError
from edgekit.sources.facts import weight_names

pytestmark = pytest.mark.unit
NAMED = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM", "gemma3_text": "Gemma3ForCausalLM"}


def config(kind: str = "llama", **more: Any) -> dict[str, Any]:
    return {"model_type": kind, "architectures": [NAMED.get(kind, "X")], **more}


def names(kind: str = "llama", layers: int = 2, **more: Any) -> list[str]:
    parts = weight_names._parts(config(kind, **more), kind)
    blocks = [f"model.layers.{at}.{part}" for at in range(layers) for part in sorted(parts)]
    return ["model.embed_tokens.weight", *blocks, "model.norm.weight"]


@pytest.mark.parametrize("kind", weight_names.PARTS)
def test_what_the_class_has_is_whole(kind: str) -> None:
    weight_names.check(config(kind), 2, names(kind))
    weight_names.check(config(kind), 2, [*names(kind), "lm_head.weight"])
    for name in names(kind):
        layer = name.removeprefix("model.layers.").split(".", 1)
        said = f"layer {layer[0]} lacks the weight '{layer[1]}'" if layer[0].isdigit() else f"weights lack {name}"
        with pytest.raises(SourceError, match=f"{said}, which"):
            weight_names.check(config(kind), 2, [other for other in names(kind) if other != name])


HELD: dict[str, Callable[[str], str]] = {
    "bare": lambda name: name.removeprefix("model."),
    "older": lambda name: name,
}


@pytest.mark.parametrize("case", HELD)
def test_what_is_read_all_the_same(case: str) -> None:
    computed = ["model.layers.0.self_attn.rotary_emb.inv_freq", "v_head.summary.weight", "lm_head.weight"]
    weight_names.check(config(), 2, [*map(HELD[case], names()), *computed])
    text = [f"language_model.{name}" for name in names("gemma3_text")]
    weight_names.check(config("gemma3_text"), 2, text)


def test_biases_are_those_that_the_configuration_says() -> None:
    biased = {"attention_bias": True, "mlp_bias": True}
    weight_names.check(config(**biased), 2, names(**biased))
    with pytest.raises(SourceError, match=r"layer 0 lacks the weight 'mlp\.down_proj\.bias'"):
        weight_names.check(config(**biased), 2, names())
    with pytest.raises(
        SourceError, match=r"hold model\.layers\.0\.mlp\.down_proj\.bias, which LlamaForCausalLM has no"
    ):
        weight_names.check(config(), 2, names(**biased))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda name: f"base_model.model.{name}", "lack model.embed_tokens.weight, .* has another place"),
        (lambda name: name.replace("q_proj", "q_proj.base_layer"), "hold an adapter beside"),
        (lambda name: name.replace("layers.1", "layers.2"), "layer 1 lacks the weight 'input_layernorm.weight'"),
    ],
)
def test_other_names(change: Callable[[str], str], says: str) -> None:
    with pytest.raises(SourceError, match=says) as refused:
        weight_names.check(config(), 2, map(change, names()))
    assert refused.value.exit_code == 4 and refused.value.next


@pytest.mark.parametrize(
    "more", ["self_attn.q_proj.lora_A.default.weight", "self_attn.sinks", "mlp.experts.0.w1.weight"]
)
def test_more_in_a_layer_than_its_class_computes_with(more: str) -> None:
    with pytest.raises(SourceError, match=more.rpartition(".")[0]):
        weight_names.check(config(), 2, [*names(), f"model.layers.1.{more}"])


def test_other_architectures_are_left_to_the_gate() -> None:
    weight_names.check(config("phi"), 2, ["model.layers.0.dense.bias"])
