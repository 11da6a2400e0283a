"""Bytes of weights from the passes of a plan, held against what formulas on paper give."""

from __future__ import annotations

import pytest

from edgekit import plan, target
from edgekit.model import Model
from edgekit.predict import speed
from edgekit.predict.weights import Storage, estimate, largest
from tests.golden.plans import llama, net, phi3

pytestmark = pytest.mark.unit

CPU = target.load("linux-cpu")
LLAMA = llama(49152 * 576 + 4 * (2 * 576 * 576 + 2 * 576 * 192 + 3 * 576 * 1536))  # four layers, embeddings tied
TABLES = 8192 * 64 * 4  # of the rotary embeddings


def weight_bytes(model: Model, recipe: str) -> int:
    return plan.footprint(plan.make(model, CPU, recipe=recipe), model, CPU).mapped_bytes


def test_a_block_has_a_scale_and_a_zero_point() -> None:
    assert Storage(4, 32).bytes(64) == 32 + 2 * 2
    assert Storage(4, 32, symmetric=False).bytes(64) == 32 + 2 * 2 + 2 * 0.5
    assert Storage(8, -1).bytes(64) == 64  # one scale a channel is next to nothing


@pytest.mark.parametrize(
    ("recipe", "bits"),
    [
        ("llm_float16", 16),
        ("int4_rtn", 4 + 16 / 32 + 4 / 32),
        ("int4_kquant", 4 + 16 / 32 + 4 / 32),
        ("int8_rtn", 8 + 16 / 64 + 8 / 64),
    ],
)
def test_weights_of_one_precision_are_their_bits_scales_and_zero_points(recipe: str, bits: float) -> None:
    stored = LLAMA.parameters + (49152 * 576 if recipe == "llm_float16" else 0)  # floats of tied ends are stored twice
    assert weight_bytes(LLAMA, recipe) == pytest.approx(stored * bits / 8 + TABLES, abs=2)


def test_a_partial_rotation_has_smaller_tables_and_longrope_one_more_of_each() -> None:
    assert LLAMA.llm is not None
    part = LLAMA.model_copy(update={"llm": LLAMA.llm.model_copy(update={"rotary_size": 48})})
    assert weight_bytes(LLAMA, "int4_rtn") - weight_bytes(part, "int4_rtn") == TABLES // 4
    far = LLAMA.model_copy(update={"llm": LLAMA.llm.model_copy(update={"longrope_beyond": 4096})})
    assert weight_bytes(far, "int4_rtn") - weight_bytes(LLAMA, "int4_rtn") == TABLES // 2


def test_mixed_recipes_lie_between_their_precisions_and_keep_their_order() -> None:
    sizes = [
        weight_bytes(LLAMA, name) for name in ("int4_rtn", "int4_gptq_mixed", "int4_gptq", "int4_mixed", "int8_rtn")
    ]
    assert sizes == sorted(set(sizes))
    fused = phi3(2 * 32064 * 3072 + 4 * (4 * 3072 * 3072 + 3 * 3072 * 8192))  # large: some layers alone keep 8 bits
    assert weight_bytes(fused, "int4_rtn") < weight_bytes(fused, "int4_mixed") < weight_bytes(fused, "int8_rtn")


def test_rotation_unties_the_ends_which_are_then_stored_twice() -> None:
    tied, untied = weight_bytes(LLAMA, "int4_gptq"), weight_bytes(LLAMA, "quarot_gptq")
    assert untied - tied == pytest.approx(49152 * 576 * (8 + 24 / 64) / 8, abs=2)


def test_a_net_has_the_bytes_of_its_precision() -> None:
    picture = net(conv=8_000_000)
    assert estimate(picture, "int8", [{"type": "OnnxStaticQuantization"}]) == 2_000_000
    assert estimate(picture, "float16", [{"type": "OnnxFloatToFloat16"}]) == 4_000_000
    kept = picture.model_copy(update={"source_bytes": 7_500_000})
    assert estimate(kept, "float32", []) == 7_500_000


def test_the_least_time_is_what_memory_and_storage_need_to_deliver_the_bytes() -> None:
    assert speed.token_s(10**9, 0, 10e9) == 0.1 and speed.token_s(10**9, 5 * 10**8, 10e9) == pytest.approx(0.15)
    assert speed.load_s(10**9, 2e9) == 0.5
    assert largest(8_000_000_000, 2.0, 0) == 4_000_000_000
    assert largest(8_000_000_000, 2.0, 1_000_000_000) == 3_500_000_000
    assert largest(1_000, 2.0, 2_000) == 0
