"""Windows of attention are the same to transformers and to the graph builder, or refused on opening."""

from __future__ import annotations

from typing import Any

import pytest

from edgekit.errors import SourceError
from edgekit.sources.facts import architectures, windows

pytestmark = pytest.mark.unit

LOCAL, FULL = "sliding_attention", "full_attention"
PLAIN = {"max_position_embeddings": 4096, "sliding_window": 64, "num_hidden_layers": 4}
QWEN = {**PLAIN, "use_sliding_window": True}


@pytest.mark.parametrize(
    ("kind", "changes", "key", "value"),
    [
        ("llama", {}, "sliding_window", None),
        ("llama", {"layer_types": [FULL] * 4}, "sliding_window", None),
        ("granite", {}, "sliding_window", None),
        ("qwen2", {**QWEN, "max_window_layers": 4}, "use_sliding_window", False),
        ("qwen2", QWEN, "use_sliding_window", False),
        ("qwen3", {**QWEN, "layer_types": [FULL] * 4}, "use_sliding_window", False),
    ],
)
def test_a_window_that_no_layer_has_is_read_as_none(kind: str, changes: dict[str, Any], key: str, value: Any) -> None:
    lines: list[str] = []
    config = {"model_type": kind, **PLAIN, **changes}
    assert windows.as_run(config, lines) == {**config, key: value}
    assert len(lines) == 1 and "sliding_window 64 read as none" in lines[0]


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("mistral", {}),
        ("mistral", {"layer_types": [LOCAL] * 4}),
        ("phi3", {}),
        ("qwen2", {"use_sliding_window": False}),
        ("qwen2", {**QWEN, "max_window_layers": 0}),
        ("llama", {"sliding_window": 4096}),
        ("llama", {"sliding_window": None, "layer_types": [LOCAL, FULL] * 2}),
        ("gemma3_text", {"layer_types": [LOCAL] * 5 + [FULL]}),
        ("smollm3", {"layer_types": [LOCAL, FULL] * 2}),
    ],
)
def test_a_window_that_both_read_alike_stays(kind: str, changes: dict[str, Any]) -> None:
    lines: list[str] = []
    config = {"model_type": kind, **PLAIN, **changes}
    assert windows.as_run(config, lines) is config and not lines


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        (
            "llama",
            {"layer_types": [LOCAL, FULL] * 2},
            "2 of 4 layers a window of 64 tokens, which LlamaForCausalLM has not",
        ),
        ("llama", {"layer_types": [LOCAL] * 4}, "4 of 4 layers"),
        ("mistral", {"layer_types": [LOCAL, FULL, FULL, FULL]}, "1 of 4 layers"),
        ("qwen2", {**QWEN, "max_window_layers": 1}, "3 of 4 layers a window of 64 tokens, and GenAI's graph builder"),
        ("qwen3", {**QWEN, "layer_types": [FULL, LOCAL] * 2}, "gives it to every layer"),
        ("gemma3_text", {"layer_types": [LOCAL, FULL] * 3}, "Gemma 3's own pattern alone"),
    ],
)
def test_layers_that_differ_are_refused(kind: str, changes: dict[str, Any], words: str) -> None:
    named = ["LlamaForCausalLM"] if kind == "llama" else []
    with pytest.raises(SourceError, match=words) as caught:
        windows.as_run({"model_type": kind, "architectures": named, **PLAIN, **changes}, [])
    assert caught.value.exit_code == 4 and caught.value.next


@pytest.mark.parametrize(
    ("architecture", "kind"),
    [("LlamaForCausalLM", "mistral"), ("Qwen2ForCausalLM", "llama"), ("Phi3ForCausalLM", "phi")],
)
def test_a_class_and_a_model_type_of_two_models(architecture: str, kind: str) -> None:
    with pytest.raises(SourceError, match="they are two models") as caught:
        architectures.same_model(architecture, kind)
    assert caught.value.exit_code == 4 and architecture in caught.value.message and kind in caught.value.message


@pytest.mark.parametrize(
    ("architecture", "kind"),
    [
        ("LlamaForCausalLM", "llama"),
        ("Gemma3ForCausalLM", "gemma3_text"),
        ("HunYuanDenseV1ForCausalLM", "hunyuan_v1_dense"),
        ("InternLM2ForCausalLM", "internlm2"),
        ("LlamaForCausalLM", "of_nobody"),
        ("LlamaForCausalLM", None),
    ],
)
def test_a_class_of_its_model_type_or_of_none_that_is_known(architecture: str, kind: str | None) -> None:
    architectures.same_model(architecture, kind)


def test_every_class_that_is_built_is_of_a_type() -> None:
    names = {"Ernie4_5ForCausalLM": "ernie4_5", "NemotronForCausalLM": "nemotron"}
    for architecture, kind in names.items():
        architectures.same_model(architecture, kind)
