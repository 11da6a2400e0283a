"""What a model takes on a device: by formulas on paper, for every member and device, with what is unknown said."""

from __future__ import annotations

import importlib.util
import json
import math
import statistics
from pathlib import Path

import pytest

from edgekit import commands, target
from edgekit.catalog import cards, device
from edgekit.catalog.member import Task
from edgekit.errors import SourceError, TargetError, UsageError
from edgekit.fit import estimate, memory, recommend, speeds
from edgekit.fit.estimate import Fit
from edgekit.predict import build, roofline
from edgekit.predict import memory as predicted_memory
from edgekit.predict.memory import Parts
from tests.unit.sources.tiny_models import save_llama

pytestmark = pytest.mark.unit

Capture = pytest.CaptureFixture[str]


def fitted(name: str, on: str | None = None, ram: str | None = None, into: str | None = None, **more: int) -> Fit:
    model, card = estimate.described(name)
    there = device.find(on) if on else None
    memory = estimate.size(ram) if ram else None
    return estimate.fit(model, card, there, memory, estimate.chosen(there, into), more.get("context"))


def test_a_roofline_on_paper() -> None:
    assert roofline.ideal_decode_tps(2e9, 0.5e9, 50e9) == pytest.approx(20)
    assert roofline.ideal_prefill_tps(10**9, 20e9) == pytest.approx(10)
    assert roofline.share([5.0, 20.0], [10.0, 10.0]) == pytest.approx(1.0) and roofline.share([], []) is None
    assert roofline.factor(2, 1) == roofline.factor(1, 2) == 2
    assert roofline.read_weights(100, 30, tied=True) == 100 and roofline.read_weights(100, 30, tied=False) == 70


def test_half_of_the_published_figures_are_fitted_and_no_other_is_left_out() -> None:
    published = [(each, said) for each in device.devices() for said in each.published if said.where == "cpu"]
    figures = speeds.figures()
    decode = [figure for figure in figures if figure.quantity == "decode_tps"]
    first = [figure for figure in figures if figure.quantity == "ttft_s"]
    assert len(decode) == sum(said.decode_tps is not None for _, said in published) >= 6
    assert len(first) == sum(said.prefill_tps is not None for _, said in published) >= 3
    for part in (decode, first):
        assert [figure.fitted for figure in part] == [at % 2 == 0 for at in range(len(part))]
        for figure in part:  # the others are predicted wherever the device's facts are published
            assert (figure.predicted is not None) == (not figure.fitted and figure.ideal is not None)


def test_a_coefficient_comes_from_the_fitted_figures_alone() -> None:
    pairs = [
        (figure.measured, figure.ideal)
        for figure in speeds.figures()
        if figure.fitted and figure.quantity == "decode_tps" and figure.ideal is not None
    ]
    wanted = math.exp(sum(math.log(measured / ideal) for measured, ideal in pairs) / len(pairs))
    assert speeds.coefficients()["decode_tps"] == pytest.approx(wanted) and 0.2 < wanted < 1


@pytest.mark.parametrize("quantity", speeds.WITHIN)
def test_what_is_predicted_is_within_its_factor_in_four_of_five(quantity: speeds.Quantity) -> None:
    off = [figure.factor for figure in speeds.figures() if figure.quantity == quantity and figure.factor is not None]
    assert off and sum(each <= speeds.WITHIN[quantity] for each in off) >= 0.8 * len(off)
    assert speeds.trusted(quantity)


def test_memory_by_part_on_paper() -> None:
    """Phi-4-mini: 32 layers, 8 heads of 128 values for keys and for values, in float32."""
    taken = fitted("phi-4-mini-instruct", ram="8GB", into="linux-cpu", context=4096)
    assert taken.memory.kv_bytes_at_max_length == 2 * 32 * 8 * 128 * 4 * 4096
    assert taken.memory.logits_bytes_pp512 == 512 * 200064 * 4
    assert taken.memory.engine_bytes == target.load("linux-cpu").settings("llm").memory.engine_bytes
    assert taken.anonymous + taken.memory.mapped_bytes == taken.memory.predicted_peak_bytes
    assert taken.download == 2 * 3_836_021_760
    assert taken.memory.mapped_bytes == pytest.approx(2.90e9, rel=0.05)  # measured of the true shape: 2.90 GB
    assert fitted("phi-4-mini-instruct", ram="8GB", context=512).anonymous < taken.anonymous
    assert taken.build_memory > 4 * 3_836_021_760  # the gate has the float source whole, where nobody says otherwise


def test_what_fits_and_what_does_not() -> None:
    small, large = fitted("smollm2-135m-instruct", ram="2GB"), fitted("phi-4", ram="8GB")
    assert (small.fits, large.fits) == ("yes", "no") and "of memory at most" in large.reasons[0]
    phone = fitted("phi-4", on="iPhone 16")
    assert phone.fits == "no" and phone.room.limit == int(8 * 2**30 * 0.375)
    assert "one developer" in phone.room.why and any(
        "increased-memory-limit" in it for it in phone.room.rule.entitlements
    )
    unknown = fitted("phi-4-mini-instruct", on="Galaxy S24")
    assert unknown.fits == "unknown" and "give --ram" in unknown.reasons[0]


def test_a_store_needs_packs_or_refuses() -> None:
    packs = fitted("phi-4-mini-instruct", on="Galaxy S25")
    assert any("2 packs" in reason for reason in packs.reasons)
    assert any("more than a store takes" in reason for reason in fitted("phi-4", on="Pixel 9 Pro").reasons)


def test_published_figures_stand_with_their_source_and_accelerators_are_never_estimated() -> None:
    speed = fitted("phi-4-mini-instruct", on="Galaxy S25").speed
    told = {(each.how, each.value, "npu" in each.note) for each in speed if each.quantity == "decode_tps"}
    assert {("published", 22.3, False), ("published", 18.5, True)} <= told
    assert not [each for each in speed if each.how == "estimated" and "npu" in each.note]
    npu = fitted("phi-4-mini-instruct", on="Galaxy S25", into="android-qnn-sm8750")
    assert npu.decode_tps == 18.5 and not [each for each in npu.speed if each.how == "estimated"]
    there = {each.quantity: each for each in fitted("phi-4-mini-instruct", on="Pixel 9").speed}
    assert (there["decode_tps"].how, there["decode_tps"].value) == ("unknown", None)
    assert "bandwidth of Google Pixel 9 is not published" in there["decode_tps"].note


@pytest.mark.parametrize("name", [name for name in cards.names() if cards.load(name).member])
def test_every_member_is_answered(name: str) -> None:
    """With a fit, or the plan's own refusal."""
    for on in ("iPhone 16", "Surface Laptop 7"):
        try:
            assert fitted(name, on=on).fits in ("yes", "no", "unknown")
        except (SourceError, UsageError) as error:
            assert error.message and error.next


def test_a_folders_configuration_is_enough(tmp_path: Path) -> None:
    save_llama(tmp_path / "tiny")
    (tmp_path / "tiny" / "model.safetensors").unlink()
    for path in (tmp_path / "tiny", tmp_path / "tiny" / "config.json"):
        taken = fitted(str(path), ram="1GB")
        assert taken.fits == "yes" and taken.model == "tiny"
    config = json.loads((tmp_path / "tiny" / "config.json").read_text())
    (tmp_path / "tiny" / "config.json").write_text(json.dumps(config | {"architectures": ["PhiMoEForCausalLM"]}))
    with pytest.raises(SourceError, match="mixture of experts"):
        fitted(str(tmp_path / "tiny"), ram="1GB")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["fit", "phi-4-mini-instrct", "--ram", "6GB"], 4, "did you mean 'phi-4-mini-instruct'"),
        (["fit", "phi-4", "--device", "Pixl 9"], 2, "did you mean 'Pixel 9'"),
        (["fit", "phi-4"], 2, "fit asks where"),
        (["fit", "phi-4", "--ram", "six"], 2, "no size of a memory"),
        (["fit", "phi-4", "--ram", "6GB", "--context", "99999999"], 2, "has a context of 16,384 tokens"),
        (["fit", "phi-4", "--ram", "6GB", "--target", "linux-cqu"], 3, "did you mean 'linux-cpu'"),
        (["fit", "phi-4", "--device", "Pixel 9", "--target", "ios-cpu"], 3, "do not run on Google Pixel 9"),
        (["fit", "phi-3.5-moe", "--ram", "6GB"], 4, "mixture of experts"),
        (["recommend", "--task", "chat"], 2, "recommend asks where"),
        (["recommend", "--task", "cooking", "--ram", "6GB"], 2, "cooking"),
    ],
)
def test_what_cannot_be_answered_says_why(words: list[str], code: int, said: str, capsys: Capture) -> None:
    assert commands.main([*words, "--json"]) == code
    error = json.loads(capsys.readouterr().out)["error"]
    assert said in error["message"] and error["next"]


def test_a_device_without_a_target_says_so() -> None:
    known = device.find("X2 Elite")
    assert estimate.chosen(known, None).name == "windows-cpu"
    strange = known.model_copy(update={"system": known.system.model_copy(update={"os": "ios", "abi": "x86_64"})})
    with pytest.raises(TargetError, match="no target for PC with Snapdragon X2 Elite"):
        estimate.chosen(strange, None)


def test_a_target_of_another_system_names_the_fitting_ones() -> None:
    with pytest.raises(TargetError, match="do not run on Raspberry Pi 5") as error:
        estimate.chosen(device.find("Raspberry Pi 5"), "android-cpu")
    assert "linux-arm64" in error.value.next


@pytest.mark.parametrize("task", recommend.COMPARED)
def test_every_task_is_answered_with_reasons(task: Task) -> None:
    suited, left = recommend.recommend(task, target.load("linux-cpu"), ram=estimate.size("16GB"))
    named = {each.name for each in (*suited, *left)}
    assert named == {name for name in cards.names() if (it := cards.load(name).member) and task in it.tasks}
    assert all(each.reasons for each in (*suited, *left))
    if task in recommend.NEEDS:
        assert not suited and all("only its text part is built" in each.reasons[0] for each in left)
    else:
        assert suited


def test_the_guides_choice_comes_first_and_what_is_too_large_or_slow_is_left_out() -> None:
    board = device.find("Raspberry Pi 5")
    suited, left = recommend.recommend("chat", target.load("linux-cpu"), ram=estimate.size("16GB"))
    assert suited[0].name.startswith(("phi-3-mini", "phi-4-mini")) and "guide" in suited[0].reasons[0]
    reasons = {each.name: each.reasons[0] for each in left}
    assert "cannot be built" in reasons["phi-3.5-moe"]
    suited, left = recommend.recommend("chat", estimate.chosen(board, None), board, min_tps=20)
    slow = {each.name: each.reasons[0] for each in left}
    assert "are asked for" in slow["phi-4-mini-instruct"] and "smollm2-135m-instruct" in {each.name for each in suited}


def test_recommend_and_fit_are_shown(capsys: Capture) -> None:
    assert commands.main(["recommend", "--task", "math", "--ram", "16GB"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "phi-4-mini-reasoning" in out and "AIME 2024 57.5 % (published)" in out
    assert commands.main(["fit", "phi-4-mini-instruct", "--device", "iPhone 15 Pro"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for part in ("estimated", "published", "unknown", "entitlement: ", "17.3 tokens/s", "one developer"):
        assert part in out
    assert commands.main(["fit", "phi-4-mini-instruct", "--ram", "8GB", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)["data"]
    assert data["fits"] in ("yes", "no") and data["estimated"]["bundle_bytes"] > 2e9 and data["limit"]["what"]


def test_the_builds_memory_is_of_its_parts() -> None:
    """Of a source that does not fit in half of what is free the depth counts for nothing; the graph of floats does."""
    mini, _ = estimate.described("phi-4-mini-instruct")
    deep = mini.model_copy(update={"parameters": 4 * mini.parameters})
    taken = [build.memory(it, 10**9, quantized_first=True, free=22 * 10**9) for it in (mini, deep)]
    assert taken[0] == taken[1] < 10e9
    assert build.memory(mini, 10**9, quantized_first=True, free=64 * 10**9) > 4 * mini.parameters
    assert build.memory(mini, 10**9, quantized_first=True, free=None, gate=False) < taken[0]
    assert build.memory(mini, 10**9, quantized_first=False, free=22 * 10**9) == pytest.approx(39e9, rel=0.01)
    assert build.memory(mini, 9 * 10**9, quantized_first=True, free=22 * 10**9) > 9e9


def test_the_page_has_what_the_figures_say() -> None:
    docs = Path(__file__).parents[3] / "docs"
    spec = importlib.util.spec_from_file_location("choosing_tables", docs / "tables.py")
    assert spec and spec.loader
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    text = tables.CHOOSING.read_text(encoding="utf-8")
    assert tables.choosing(text) == text, "run make docs, and read the page"
    assert tables.choosing(text.replace("| fitted |", "| guessed |")) == text


def test_memory_is_predicted_of_the_bundles_that_were_not_fitted() -> None:
    shown = memory.figures()
    errors = [each.error for each in shown if each.error is not None]
    assert len(shown) == len(memory.measured().row) >= 9 and len(errors) == len(shown) // 2
    assert statistics.median(errors) <= 0.15 and max(errors) <= 0.30
    fitted_rows = memory.measured().row[::2]
    beyond = sum(row.measured - row.parts.known for row in fitted_rows)
    assert memory.coefficient() == pytest.approx(beyond / sum(row.vocabulary for row in fitted_rows))


def test_the_expected_memory_on_paper() -> None:
    parts = Parts(engine=100, weights=1000, vocabulary=10, cache_per_token=5, tokens=200)
    assert parts.known == 100 + 1000 + 5 * 200 + 128 * 10 * 4
    assert predicted_memory.tokenizer([parts], [parts.known + 70]) == 7
    assert predicted_memory.tokenizer([parts], [parts.known - 70]) == 0
    assert predicted_memory.expected(parts, 7) == parts.known + 70


def test_what_fits_as_expected_but_not_at_worst_is_unknown() -> None:
    taken = fitted("phi-4-mini-instruct", ram="5GB", into="linux-cpu")
    assert taken.expected is not None and taken.expected < 5 * 2**30 < taken.memory.predicted_peak_bytes
    assert taken.fits == "unknown" and "are expected" in taken.reasons[0]
    assert fitted("phi-4-mini-instruct", on="Galaxy S25").expected is None  # nobody measured that engine


def test_the_verdict_of_a_store_on_an_engine_is_a_note() -> None:
    verdict = [note for note in fitted("phi-4-mini-instruct", ram="8GB", into="android-cpu").notes if "Play" in note]
    assert len(verdict) == 1 and verdict[0].startswith("not shippable on Play: its app needs onnxruntime-genai (AAR)")
    assert not any("Play" in note for note in fitted("phi-4-mini-instruct", ram="8GB", into="ios-cpu").notes)
