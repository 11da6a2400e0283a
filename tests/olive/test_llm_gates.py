"""The gates of language models on real graphs: a right build passes, and each way of being wrong has its own metric."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgekit import sources, target, tools
from edgekit.errors import QualityError
from edgekit.kinds.llm import LlmContract
from edgekit.quality import GateContext, depth, explain, gate, logits, structured, template, tokenizer
from edgekit.quality import _reference as reference
from edgekit.results.measurement import Measurement
from tests.bench import language
from tests.olive import tiny_llm

pytestmark = pytest.mark.olive
HERE = Path(__file__).parent
LLAMA = {"tokenizer_class": "LlamaTokenizer", "add_prefix_space": None}
TWO_BITS = """
KIND, PRECISION, SUMMARY, CALIBRATED = "llm", "int4", "two bits", False
def passes(model, settings):
    rtn = {"type": "Rtn", "bits": 2, "group_size": 32, "lm_head": True, "embeds": True, "sym": False}
    builder = {"type": "ModelBuilder", "precision": "int4", "extra_options": {"hf_remote": False}}
    return [rtn, builder]
"""


def build(source: Path, out: Path) -> Path:
    """The float32 GenAI folder out/model of a checkpoint, as the graph builder makes it."""
    from onnxruntime_genai.models.builder import create_model

    create_model(None, str(source), str(out / "model"), "fp32", "cpu", str(out / "cache"), hf_remote=False)
    return out


def context(source: Path, built: Path, work: Path, **changes: Any) -> GateContext:
    opened = replace(sources.open_source(str(source)), accepted=True)  # its weights are random
    facts = opened.model.llm
    assert facts is not None
    work.mkdir(parents=True, exist_ok=True)
    given: dict[str, Any] = {
        "source": opened,
        "staged": built,
        "model_path": "model",
        "contract": LlmContract(
            eos_token_ids=facts.eos_token_ids,
            context_length=facts.context_length,
            max_length=facts.context_length,
            vocab_size=facts.vocab_size,
            prefix_token_ids=facts.prefix_token_ids,
        ),
        "target": target.load("linux-cpu"),
        "precision": "float32",
        "work": work,
        "mode": "fast",
    }
    return GateContext(**(given | changes))


def values(measurements: list[Measurement]) -> dict[str, float | None]:
    return {one.metric: one.value for one in measurements}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llm.llama(tmp_path_factory.mktemp("source") / "llama", layers=4, template=tiny_llm.TOOLS)


@pytest.fixture(scope="module")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(source, tmp_path_factory.mktemp("built"))


def test_the_right_build_passes_and_calls_functions(source: Path, built: Path, tmp_path: Path) -> None:
    ctx = context(source, built, tmp_path)
    found = gate(ctx)
    assert (found.verdict, explain(found)) == ("pass", None)
    judged = {verdict.metric for verdict in found.verdicts}
    assert judged >= {"token_mismatch_rate", "template_mismatch_rate", "kl_mean", "kl_mean@half_context", "eos_rate"}
    assert judged >= {"json_parse_rate", "control_token_splits", "eos_ids_missing", "repetition_rate"}
    calls = next(one for one in found.measurements if one.metric == "json_parse_rate")
    assert (calls.value, calls.n) == (1, structured.FAST) and "with the template's tools" in calls.reason


def swap_layers(built: Path, out: Path, first: int, second: int) -> Path:
    """The same graph with the weights of two layers in each other's place."""
    import onnx

    model = onnx.load(str(built / "model" / "model.onnx"))
    names = {first: f"model.layers.{first}.", second: f"model.layers.{second}."}
    for tensor in model.graph.initializer:
        for here, there in ((first, second), (second, first)):
            if tensor.name.startswith(names[here]):
                tensor.name = names[there] + tensor.name.removeprefix(names[here])
                break
    (out / "model").mkdir()
    for path in (built / "model").glob("*.json"):
        (out / "model" / path.name).write_bytes(path.read_bytes())
    onnx.save(model, str(out / "model" / "model.onnx"))
    return out


def test_two_swapped_layers_fail(source: Path, built: Path, tmp_path: Path) -> None:
    swapped = swap_layers(built, tmp_path, 1, 3)
    found = values(logits.measure(context(source, swapped, tmp_path / "work", precision="int4")))
    assert found["kl_mean"] is not None and found["kl_mean"] > 0.15
    assert found["top1_agreement"] is not None and found["top1_agreement"] < 0.8


def test_figures_far_from_their_limits_are_decided_early(source: Path, built: Path, tmp_path: Path) -> None:
    """Of 4,096 predictions of a right build half are enough; how many decided is what the measurements say."""
    figures = {entry.metric: entry for entry in logits.measure(context(source, built, tmp_path, mode="default"))}
    counts = {name: figures[name].n for name in ("kl_mean", "kl_p99", "top1_agreement", "perplexity_ratio")}
    assert 900 < counts["kl_mean"] < 2400 and counts["perplexity_ratio"] in (512, 1024), counts
    assert all("decided at look" in figures[name].reason for name in counts)


def test_a_constant_answer_fails(source: Path, built: Path, tmp_path: Path) -> None:
    constant = language.sibling(built, tmp_path / "constant")
    language.constant_answers(constant)
    figures = values(logits.measure(context(source, constant, tmp_path / "work", precision="int4")))
    assert figures["kl_mean"] is not None and figures["kl_mean"] > 0.15
    assert figures["top1_agreement"] is not None and figures["top1_agreement"] < 0.8


def test_two_bits_fail_with_the_metric_its_limit_and_what_to_try(source: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "two_bits.py"
    recipe.write_text(TWO_BITS)
    argv = [sys.executable, HERE / "build_recipes.py", source, tmp_path / "out", recipe]
    done = tools.run(argv, timeout=300, env={**os.environ, **tools.QUIET_ENGINES, "HF_HUB_OFFLINE": "1"})
    assert json.loads(done.stdout.splitlines()[-1]) == {"two_bits": ""}, done.stderr[-1000:]
    found = gate(context(source, tmp_path / "out" / "two_bits", tmp_path / "work", precision="int4"))
    error = explain(found)
    assert isinstance(error, QualityError) and error.code == "quality"
    assert "kl_mean is" in error.message and "at most 0.15 asked" in error.message
    assert "keeps more bits" in error.next


def test_a_wrong_tokenizer_class_fails_by_its_own_metric(source: Path, tmp_path: Path) -> None:
    wrong = tiny_llm.copy(source, tmp_path / "source", tokenizer_config=LLAMA)
    [found] = tokenizer.measure(context(wrong, build(wrong, tmp_path / "built"), tmp_path / "work"))
    assert found.metric == "token_mismatch_rate"
    assert found.value is not None and found.value > 0.1
    assert "differs" in found.reason


def test_another_models_template_fails_by_its_own_metric(source: Path, tmp_path: Path) -> None:
    foreign = tiny_llm.copy(source, tmp_path / "source", tokenizer_config={"chat_template": tiny_llm.PHI3})
    (foreign / "chat_template.jinja").unlink(missing_ok=True)
    found = values(template.measure(context(foreign, build(foreign, tmp_path / "built"), tmp_path / "work")))
    assert found["template_mismatch_rate"] == 0
    assert found["control_token_splits"] is not None and found["control_token_splits"] >= 3


def test_a_missing_end_token_fails_by_its_own_metric(source: Path, tmp_path: Path) -> None:
    endless = tiny_llm.copy(
        source, tmp_path / "source", generation_config={"eos_token_id": [0]}, config={"eos_token_id": [0]}
    )
    found = template.measure(context(endless, build(endless, tmp_path / "built"), tmp_path / "work"))
    missing = next(one for one in found if one.metric == "eos_ids_missing")
    assert missing.value == 1
    assert "does not stop at 2" in missing.reason


@pytest.fixture(scope="module")
def windowed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model whose attention sees 300 tokens, and its build; the gate's short texts have 256."""
    folder = tmp_path_factory.mktemp("windowed")
    made = tiny_llm.phi3(folder / "source", sliding_window=300)
    return made, build(made, folder / "built")


@pytest.mark.nightly
def test_a_right_sliding_window_passes(windowed: tuple[Path, Path], tmp_path: Path) -> None:
    found = values(depth.measure(context(*windowed, tmp_path)))
    assert set(found) == {"kl_mean@half_context", "kl_mean@sliding_window"}
    assert all(value is not None and abs(value) < 1e-4 for value in found.values())


def test_a_forgotten_sliding_window_is_seen_only_beyond_it(windowed: tuple[Path, Path], tmp_path: Path) -> None:
    import onnx

    source, built = windowed
    forgetful = swap_layers(built, tmp_path, 0, 0)
    model = onnx.load(str(forgetful / "model" / "model.onnx"))
    changed = [one for node in model.graph.node for one in node.attribute if one.name == "local_window_size"]
    for attribute in changed:
        attribute.i = -1
    assert changed
    onnx.save(model, str(forgetful / "model" / "model.onnx"))
    ctx = context(source, forgetful, tmp_path / "work", precision="int4")
    near = values(logits.measure(ctx))["kl_mean"]
    assert near is not None and abs(near) < 1e-4
    beyond = values(depth.measure(ctx))["kl_mean@sliding_window"]
    assert beyond is not None and beyond > 0.3


@pytest.mark.parametrize(("border", "agrees"), [(4096, True), pytest.param(128, False, marks=pytest.mark.nightly)])
def test_the_longrope_border_is_crossed_as_an_app_does(border: int, agrees: bool, tmp_path: Path) -> None:
    """The runtime computes a text anew when it grows beyond 4096 tokens, and only there."""
    made = tiny_llm.phi3(tmp_path / "source", **tiny_llm.longrope(border, border + 512))
    found = values(depth.measure(context(made, build(made, tmp_path / "built"), tmp_path / "work")))
    value = found["kl_mean@longrope"]
    assert value is not None and (abs(value) < 1e-3 if agrees else value > 0.3)


def test_a_border_that_no_bundle_text_reaches_is_said_and_not_measured(source: Path, tmp_path: Path) -> None:
    made = tiny_llm.phi3(tmp_path / "source", **tiny_llm.longrope(256, 512))
    contract = LlmContract(eos_token_ids=(2,), context_length=512, max_length=200, vocab_size=tiny_llm.VOCAB)
    ctx = context(made, tmp_path, tmp_path / "work", contract=contract)
    assert [place.name for place in reference.deep(ctx) if place.end] == ["half_context"]
    assert "256 tokens" in next(place.why for place in reference.deep(ctx) if not place.end)


@pytest.mark.nightly
def test_the_users_text_is_what_is_measured(source: Path, built: Path, tmp_path: Path) -> None:
    text = tmp_path / "mine.txt"
    text.write_text("The heron stood in the reeds. " * 200)
    ctx = context(source, built, tmp_path / "work", text=text)
    windows = json.loads((reference.logits(ctx, 0) / "windows.json").read_text())
    texts = [window for window in windows if window["kind"] == "text"]
    from tokenizers import Tokenizer

    read = Tokenizer.from_file(str(source / "tokenizer.json"))
    assert "heron stood in the reeds" in read.decode(texts[0]["ids"])
    assert values(logits.measure(ctx))["perplexity"] is not None


BROKEN = {
    "a block that is not closed": "{% for message in messages %}{{ message['content'] }}",
    "a filter that nobody has": "{% for message in messages %}{{ message['content'] | brackets }}{% endfor %}",
    "a function that nobody has": "{{ today() }}{% for message in messages %}{{ message['content'] }}{% endfor %}",
    "a first turn refused": "{{ raise_exception('say please') }}",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_template_that_writes_nothing_is_not_one_that_is_absent(kind: str, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    from edgekit.jobs import reference as job

    turn = reference.conversations()[0]
    folder = tiny_llm.tokenizer(tmp_path / "broken", template=BROKEN[kind])
    assert job._refused(AutoTokenizer.from_pretrained(folder), turn)
    for name, text in (("whole", tiny_llm.CHATML), ("base", "")):
        sound = tiny_llm.tokenizer(tmp_path / name, template=text)
        assert not job._refused(AutoTokenizer.from_pretrained(sound), turn)


def test_a_template_that_does_not_compile_is_not_measured_by_name(source: Path, built: Path, tmp_path: Path) -> None:
    """One that Jinja parses, and so is opened; others are refused there."""
    broken = tiny_llm.copy(source, tmp_path / "source", tokenizer_config={"chat_template": "{{ messages | brackets }}"})
    (broken / "chat_template.jinja").unlink(missing_ok=True)
    ctx = context(broken, built, tmp_path / "work")
    figures = {figure.metric: figure for figure in (*template.measure(ctx), *structured.measure(ctx))}
    for metric in ("template_mismatch_rate", "control_token_splits", "json_parse_rate"):
        assert figures[metric].value is None and "TemplateAssertionError" in figures[metric].reason
