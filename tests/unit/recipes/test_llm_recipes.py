"""What the recipes for language models ask of Olive, and which are not to be had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit import recipes, target
from edgekit.data import file_digest
from edgekit.errors import UsageError
from edgekit.kinds.llm import LlmSettings
from edgekit.model import DecoderFacts, Model
from edgekit.passes import modules
from edgekit.quality import _reference
from edgekit.recipes import _olive

pytestmark = pytest.mark.unit
DATA = Path(recipes.__file__).parent / "data"
# Those whose form is the settings': the chains for an accelerator have theirs given by it.
QUANTIZING = [name for name in recipes.names("llm") if name.startswith(("int4_", "int8_", "quarot_"))]


def model(*, tied: bool = True, hidden: int = 576, inner: int = 1536) -> Model:
    facts = DecoderFacts(
        context_length=8192,
        vocab_size=49152,
        layers=2,
        kv_heads=hidden // 64,
        head_size=64,
        hidden_size=hidden,
        inner_size=inner,
        eos_token_ids=(2,),
        tied_embeddings=tied,
    )
    return Model(name="m", kind="llm", architecture="LlamaForCausalLM", parameters=10**8, sha256="0" * 64, llm=facts)


def passes(name: str, one: Model, **settings: Any) -> list[dict[str, Any]]:
    return recipes.load(name).passes(one, target.load("linux-cpu").llm.model_copy(update=settings))


def quantizers(made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in made if one["type"] in ("Rtn", "KQuant", "EdgekitGptq")]


@pytest.mark.parametrize("name", QUANTIZING)
def test_block_size_and_symmetry_are_settings(name: str) -> None:
    made = quantizers(passes(name, model(), block_size=16, symmetric=True))
    assert {one["sym"] for one in made} == {True}
    fours = [one["group_size"] for one in made if one["bits"] == 4]
    assert set(fours) <= {16}
    per_channel = quantizers(passes(name, model(), block_size=-1))
    assert {one["group_size"] for one in per_channel} == {-1}


@pytest.mark.parametrize("name", QUANTIZING)
def test_the_bits_of_both_ends_are_settings(name: str) -> None:
    made = passes(name, model(tied=False), lm_head_bits=8, embedding_bits=4)
    overrides = next(one["overrides"] for one in reversed(made) if one.get("embeds"))
    assert overrides[_olive.HEAD]["bits"] == 8
    assert overrides[_olive.EMBEDDINGS]["bits"] == 4


def test_tied_weights_get_the_bits_of_the_better_end() -> None:
    overrides = _olive.ends(model(), LlmSettings(), head=8, embeddings=4)
    assert overrides[_olive.HEAD] == overrides[_olive.EMBEDDINGS] == {"bits": 8, "group_size": 64}


@pytest.mark.parametrize(
    ("hidden", "inner", "asked", "bits", "given"),
    [
        (576, 1536, 32, 4, 32),
        (576, 1536, 128, 4, 64),
        (576, 1536, 32, 8, 64),
        (4096, 14336, 128, 8, 128),
        (64, 96, 64, 4, 32),
    ],
)
def test_a_block_divides_every_width(hidden: int, inner: int, asked: int, bits: int, given: int) -> None:
    one = model(hidden=hidden, inner=inner)
    assert _olive.block(LlmSettings(block_size=asked), one, bits) == given


@pytest.mark.parametrize(
    ("hidden", "mode"), [(576, "hadamard"), (4096, "hadamard"), (5120, "hadamard"), (1088, "random")]
)
def test_a_rotation_is_a_hadamard_matrix_where_olive_has_one(hidden: int, mode: str) -> None:
    assert passes("quarot_gptq", model(hidden=hidden))[0]["rotate_mode"] == mode


def test_a_rotated_model_is_not_tied() -> None:
    surgeries = passes("quarot_gptq", model())[-1]["surgeries"]
    assert surgeries == [{"surgeon": "EdgekitHalfScales"}]


def test_a_size_is_a_setting_and_average_bits_where_there_is_none() -> None:
    assert passes("int4_gptq_mixed", model(), size="60MB")[0]["size"] == 60_000_000
    by_bits = passes("int4_gptq_mixed", model(), average_bits=6.5)[0]
    assert (by_bits["size"], by_bits["average_bits"], by_bits["blocks"]) == (0, 6.5, [32, 64, 128])


@pytest.mark.parametrize("size", ["3MB", "900MB"])
def test_a_size_out_of_reach_is_refused_by_the_plan(size: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be reached: from .* to .* MB"):
        passes("int4_gptq_mixed", model(), size=size)


def test_tied_ends_are_left_to_the_pass_behind_gptq() -> None:
    """What serves as embeddings too has no inputs to correct errors by."""
    heads = {tied: passes("int4_gptq_mixed", model(tied=tied))[1]["lm_head"] for tied in (True, False)}
    assert heads == {True: False, False: True}


def test_calibration_never_comes_from_a_hub() -> None:
    for name in QUANTIZING:
        found = [one for one in passes(name, model()) if one["type"] in ("EdgekitGptq", "EdgekitFitSize")]
        assert recipes.load(name).calibrated == ("gptq" in name) and bool(found) >= ("gptq" in name), name
        for one in found:
            load = one["data_config"]["load_dataset_config"]
            assert load["type"] == "edgekit_texts"
            assert load["params"]["default_sha256"] == file_digest(DATA / "calibration.txt")


def test_the_shipped_calibration_text_is_not_what_the_gate_judges_by() -> None:
    def lines(text: str) -> set[str]:
        """Those long enough to be somebody's own: half of all Python files end alike."""
        return {line.strip() for line in text.splitlines() if len(line.strip()) > 36}

    calibrates = lines((DATA / "calibration.txt").read_text(encoding="utf-8"))
    assert len(calibrates) > 250
    assert not calibrates & set().union(*(lines(text) for text in _reference.shipped_text()))


def test_awq_is_refused_with_the_reason_and_what_to_take_instead() -> None:
    with pytest.raises(UsageError, match=r"int4_awq is not available: Olive drives AutoAWQ") as error:
        recipes.load("int4_awq")
    assert "int4_gptq" in error.value.next
    assert "int4_awq" not in recipes.names()


def test_a_changed_pass_of_our_own_is_another_result() -> None:
    """The roots of the cache's key have the module of each pass and surgery that a plan names, and of no other."""
    named = {name: modules({"passes": passes(name, model())}) for name in QUANTIZING}
    assert named["int4_rtn"] == ["edgekit.jobs.olive.passes.half_scales"]
    assert named["int4_gptq_mixed"] == [
        "edgekit.jobs.olive.passes.fit_size",
        "edgekit.jobs.olive.passes.gptq",
        "edgekit.jobs.olive.passes.half_scales",
    ]
    assert modules({"type": "Rtn"}) == []


def phi(parameters: int = 2_779_683_840, layers: int = 9) -> Model:
    made = model(tied=False, hidden=2560, inner=10240)
    facts = made.llm.model_copy(update={"layers": layers}) if made.llm else None
    return made.model_copy(update={"architecture": "PhiForCausalLM", "parameters": parameters, "llm": facts})


ON_GRAPH = ("int4_rtn", "int4_mixed", "int4_kquant", "int8_rtn")


@pytest.mark.parametrize("name", ON_GRAPH)
@pytest.mark.parametrize("into", target.names())
def test_phi_is_quantized_behind_the_builder(name: str, into: str) -> None:
    """The float graph first, then every matrix of it, once, then the epsilon."""
    settings = target.load(into).llm
    made = recipes.load(name).passes(phi(), settings)
    assert made[0]["type"].endswith("ModelBuilder") and made[0]["precision"] in ("fp32", "fp16")
    assert [one["surgeon"] for one in made[-1]["surgeries"]] == ["EdgekitHalfScales", "EdgekitNormEpsilon"]
    assert made[-1]["surgeries"][-1] == {
        "surgeon": "EdgekitNormEpsilon",
        "source": "${SOURCE}",
        "key": "layer_norm_eps",
    }
    between = made[1:-1]
    assert all(one["block_size"] >= 16 for one in between)
    named = [node for one in between for node in one.get("nodes_to_include", [])]
    assert len(named) == len(set(named))
    embeds = settings.embedding_bits != 16
    assert ("/model/embed_tokens/Gather" in named) == embeds
    if name != "int4_kquant":
        assert len(named) == 9 * 7 + 1 + embeds, "of nine layers seven possible matrices, and both ends"


def test_the_mix_of_phi_is_that_of_k_m_and_of_a_small_one_wider() -> None:
    def eight(one: Model) -> set[str]:
        made = recipes.load("int4_mixed").passes(one, target.load("linux-cpu").llm)
        return {node for step in made if step.get("bits") == 8 for node in step["nodes_to_include"]}

    large = {node.split("/")[2] for node in eight(phi()) if node.endswith("fc2/MatMul")}
    assert large == {"layers.0", "layers.3", "layers.6", "layers.7", "layers.8"}
    small = eight(phi(10**8))
    assert {node.split("/")[2] for node in small if node.endswith("o_proj/MatMul")} == {
        f"layers.{at}" for at in range(9)
    }
    assert not any("fc1" in node for node in small | eight(phi()))


@pytest.mark.parametrize("name", [one for one in QUANTIZING if one not in ON_GRAPH] + ["qnn_static_llm"])
def test_what_the_builder_cannot_read_of_phi_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="reads PhiForCausalLM in float alone") as error:
        recipes.load(name).passes(phi(), target.load("linux-cpu").llm)
    assert "int4_mixed" in error.value.next and "Edgekit" not in error.value.message
    hunyuan = phi().model_copy(update={"architecture": "HunYuanDenseV1ForCausalLM"})
    with pytest.raises(UsageError, match="in float alone") as error:
        recipes.load("int4_rtn").passes(hunyuan, target.load("linux-cpu").llm)
    assert "llm_float16" in error.value.next


def test_only_who_needs_it_is_repaired() -> None:
    for architecture in ("LlamaForCausalLM", "Phi3ForCausalLM", "NemotronForCausalLM"):
        one = model().model_copy(update={"architecture": architecture})
        made = passes("llm_float32", one) + passes("int4_rtn", one)
        assert str(made).count("EdgekitNormEpsilon") == (2 if architecture == "NemotronForCausalLM" else 0)
        assert "EdgekitLocalRope" not in str(made)
    gemma = model().model_copy(update={"architecture": "Gemma3ForCausalLM"})
    assert str(passes("llm_float32", gemma) + passes("int4_rtn", gemma)).count("EdgekitLocalRope") == 2
