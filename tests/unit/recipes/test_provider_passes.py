"""Recipes for language models on accelerators with a graph of their own: what differs from the CPU's plan, and why."""

from __future__ import annotations

from typing import Any

import pytest

from edgekit import plan, recipes, target
from edgekit.errors import UsageError
from edgekit.model import DecoderFacts, Model
from edgekit.recipes import _olive

pytestmark = pytest.mark.unit


def model(**facts: Any) -> Model:
    """SmolLM2-135M's sizes, unless told otherwise."""
    sizes: dict[str, Any] = {
        "context_length": 8192, "vocab_size": 49152, "layers": 30, "kv_heads": 3, "head_size": 64,
        "hidden_size": 576, "inner_size": 1536, "eos_token_ids": (2,), "tied_embeddings": True,
    }  # fmt: skip
    return Model(
        name="tiny",
        kind="llm",
        architecture="LlamaForCausalLM",
        parameters=134_515_008,
        sha256="0" * 64,
        llm=DecoderFacts(**sizes | facts),
    )


def passes(name: str, recipe: str = "int4_mixed") -> list[dict[str, Any]]:
    """Of a target's plan, as {"type": ..., and its parameters}."""
    made = plan.make(model(), target.load(name), recipe=recipe)
    config = made.optimize_step(made.main).config
    return [{"type": one["type"], **one["config"]} for one in config["passes"].values()]


@pytest.mark.parametrize(("name", "provider"), [("windows-directml", "dml"), ("windows-webgpu", "webgpu")])
@pytest.mark.parametrize(
    "recipe", [one for one in recipes.names("llm") if one.startswith(("int4_", "int8_", "quarot"))]
)
def test_the_graph_is_the_providers(name: str, provider: str, recipe: str) -> None:
    builder = next(one for one in passes(name, recipe) if "ModelBuilder" in one["type"])
    assert builder["type"] == "EdgekitModelBuilder" and builder["provider"] == provider
    assert builder["extra_options"] == {"hf_remote": False}


@pytest.mark.parametrize("name", ["linux-cpu", "android-cpu", "android-nnapi", "ios-coreml", "android-qnn"])
def test_every_other_graph_is_the_cpus(name: str) -> None:
    assert "ModelBuilder" in [one["type"] for one in passes(name)]


def test_directml_reads_embeddings_that_are_not_quantized() -> None:
    """It has no GatherBlockQuantized, so tied weights come apart: lm_head alone is quantized."""
    made = passes("windows-directml")
    rtn = next(one for one in made if one["type"] == "Rtn")
    assert rtn["embeds"] is False and rtn["lm_head"] is True
    assert "lm_head" in rtn["overrides"] and "model.embed_tokens" not in rtn["overrides"]
    assert "TieWordEmbeddings" not in str(made)
    assert "TieWordEmbeddings" in str(passes("windows-webgpu"))


@pytest.mark.parametrize("recipe", ["int4_mixed", "int4_rtn", "int8_rtn", "int4_gptq", "int4_gptq_mixed"])
def test_directml_gets_an_even_number_of_blocks_in_a_row(recipe: str) -> None:
    """576 / 64 = 9 blocks of 8 bits would be odd."""
    sizes = {one["group_size"] for one in passes("windows-directml", recipe) if "group_size" in one}
    for one in passes("windows-directml", recipe):
        sizes |= {override["group_size"] for override in one.get("overrides", {}).values()}
    assert sizes == {32}
    assert 64 in {override["group_size"] for override in passes("linux-cpu")[0]["overrides"].values()}


@pytest.mark.parametrize(("hidden", "even", "expected"), [(576, False, 32), (96, True, 16), (2048, True, 32)])
def test_blocks_divide_the_widths(hidden: int, even: bool, expected: int) -> None:
    settings = target.load("linux-cpu").llm.model_copy(update={"even_blocks": even})
    assert _olive.block(settings, model(hidden_size=hidden, inner_size=2048, kv_heads=4)) == expected


def test_float16_is_computed_on_a_gpu_and_only_stored_for_the_cpu() -> None:
    gpu, cpu = passes("windows-directml", "llm_float16"), passes("linux-cpu", "llm_float16")
    assert [(one["type"], one["precision"]) for one in gpu] == [("EdgekitModelBuilder", "fp16")]
    assert cpu[0]["precision"] == "fp32" and "EdgekitHalfWeights" in str(cpu[1])


def test_a_gpu_without_float16_gets_float32_from_webgpu_and_a_refusal_from_directml() -> None:
    webgpu, dml = (
        target.load(name).model_copy(
            update={"llm": target.load(name).llm.model_copy(update={"activation_bits": 32})},
        )
        for name in ("windows-webgpu", "windows-directml")
    )
    assert "use_webgpu_fp32" in str(plan.make(model(), webgpu).steps)
    for recipe in ("int4_mixed", "llm_float32"):
        with pytest.raises(UsageError, match="computes in float16 only"):
            plan.make(model(), dml, recipe=recipe)
    with pytest.raises(UsageError, match="computes in float16 only"):
        plan.make(model(), target.load("windows-directml"), recipe="llm_float32")
