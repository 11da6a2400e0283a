"""Plans for tensor models: which recipe is chosen with and without calibration data."""

from __future__ import annotations

import pytest

from edgekit import plan, recipes, target
from edgekit.catalog import cards
from edgekit.errors import SourceError, UsageError
from edgekit.kinds.tensor import TensorSettings
from edgekit.model import Model, Tensor
from edgekit.recipes import float32, int8_dynamic, int8_qdq

pytestmark = pytest.mark.unit
DATA = {"inputs": 300, "form": "image", "calibration": 100, "evaluation": 200, "sha256": "1" * 64}
CPU = TensorSettings()


def net(*, opset: int = 11, conv: int = 900, matmul: int = 100, quantized: bool = False) -> Model:
    return Model(
        name="net",
        kind="tensor",
        opset=opset,
        quantized=quantized,
        weight_bytes_by_op={"Conv": conv, "MatMul": matmul},
        sha256="0" * 64,
        inputs=(Tensor(name="x", dtype="float32", shape=("n", 3, 224, 224)),),
        outputs=(Tensor(name="y", dtype="float32", shape=("n", 1000)),),
    )


def chosen(model: Model, **more: object) -> tuple[str, str]:
    made = plan.make(model, target.load("linux-cpu"), **more)  # type: ignore[arg-type]
    return made.main.recipe, made.optimize_step(made.main).reason


def test_static_int8_with_data() -> None:
    assert chosen(net(), calibration=DATA)[0] == "int8_qdq"


def test_without_data_matrix_products_become_dynamic_int8_and_convolutions_stay_float() -> None:
    recipe, reason = chosen(net(conv=100, matmul=900))
    assert recipe == "int8_dynamic" and "needs calibration data" in reason and "90%" in reason
    recipe, reason = chosen(net())
    assert recipe == "float32" and "needs calibration data" in reason


def test_a_quantized_model_is_kept() -> None:
    recipe, reason = chosen(net(quantized=True), calibration=DATA)
    assert recipe == "keep" and "already quantized" in reason


FLOAT64 = "float64 weights, which no quantizer, no float16 conversion and no accelerator takes"


@pytest.mark.parametrize("on", ["linux-cpu", "ios-coreml", "windows-directml", "android-nnapi", "android-qnn-sm8650"])
@pytest.mark.parametrize("weights", [{"conv": 900, "matmul": 100}, {"conv": 0, "matmul": 900}], ids=["conv", "matmul"])
@pytest.mark.parametrize("data", [DATA, None], ids=["calibrated", "alone"])
def test_float64_is_refused_before_anything_slow(on: str, weights: dict[str, int], data: dict[str, object]) -> None:
    fixed = (Tensor(name="x", dtype="float64", shape=(1, 3, 8, 8)),)
    model = net(**weights).model_copy(update={"dtype": "float64", "inputs": fixed})
    with pytest.raises(SourceError, match=FLOAT64) as caught:
        plan.make(model, target.load(on), calibration=data)
    assert caught.value.exit_code == 4 and "float32" in caught.value.next and "--recipe keep" in caught.value.next
    assert plan.make(model, target.load(on), recipe="keep").main.precision == "float64"


@pytest.mark.parametrize("recipe", ["int8_dynamic", "int8_qdq", "w8a8_qdq", "w8a16_qdq"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_no_quantizer_is_given_half_precision(recipe: str, dtype: str) -> None:
    model = net().model_copy(update={"dtype": dtype})
    with pytest.raises(SourceError, match=f"net has {dtype} weights, quantizers take float32") as caught:
        chosen(model, recipe=recipe, calibration=DATA)
    assert caught.value.exit_code == 4 and "--recipe keep" in caught.value.next
    assert chosen(model, calibration=DATA)[0] == "keep", "what nobody asked for is not refused"


def test_static_int8_without_data_is_refused_and_says_what_to_give() -> None:
    with pytest.raises(UsageError, match="needs calibration data") as caught:
        chosen(net(), recipe="int8_qdq")
    assert "--calibration" in caught.value.next


@pytest.mark.parametrize("name", ["swift-f0", "silero-vad", "basic-pitch", "all-minilm-l6-v2"])
def test_a_card_speaks_for_its_model(name: str) -> None:
    card = cards.load(name)
    recipe, reason = chosen(net(), calibration=DATA, card=card)
    assert recipe == card.recipe["tensor"] and "card" in reason


@pytest.mark.parametrize("on", ["windows-directml", "windows-webgpu"])
@pytest.mark.parametrize(
    ("name", "recipe"),
    [("swift-f0", "float32"), ("basic-pitch", "float32"), ("silero-vad", "fp16"), ("all-minilm-l6-v2", "fp16")],
)
def test_what_float16_loses_stays_float32(name: str, recipe: str, on: str) -> None:
    fixed = (Tensor(name="x", dtype="float32", shape=(1, 16)),)
    model = net().model_copy(update={"inputs": fixed})
    assert plan.make(model, target.load(on), card=cards.load(name)).main.recipe == recipe


@pytest.mark.parametrize("module", [int8_qdq, int8_dynamic, float32])
def test_only_an_old_opset_is_raised(module: object) -> None:
    for opset, raised in ((11, True), (12, True), (13, False), (21, False)):
        types = [one["type"] for one in module.passes(net(opset=opset), CPU)]  # type: ignore[attr-defined]
        assert ("OnnxOpVersionConversion" in types) is raised


def test_weights_are_unsigned_on_the_cpu_alone() -> None:
    """x86 without VNNI saturates with signed ones; NNAPI and QNN take no unsigned ones per channel."""
    signs = {ep: int8_qdq.passes(net(), TensorSettings(ep=ep))[-1]["precision"] for ep in ("cpu", "nnapi", "xnnpack")}
    assert signs == {"cpu": "uint8", "nnapi": "int8", "xnnpack": "int8"}
    assert int8_dynamic.passes(net(), CPU)[-1]["precision"] == "uint8"


def test_float32_changes_no_value_and_folds_nothing() -> None:
    (only,) = float32.passes(net(opset=17), CPU)
    assert only["skip_optimization"] is True


def test_every_tensor_recipe_of_the_package_loads() -> None:
    assert {"float32", "int8_dynamic", "int8_qdq", "keep"} <= set(recipes.names("tensor"))
