"""What lies in a folder besides its weights: what would be loaded in their place is refused, the rest is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import SourceError
from edgekit.model import Tensor
from edgekit.sources import open_source
from edgekit.sources.facts import beside, modules
from tests.unit.sources.tiny_models import llama_shapes, save_llama, save_onnx, save_safetensors

pytestmark = pytest.mark.unit

ADAPTERS: dict[str, tuple[dict[str, Any], str]] = {
    "PEFT's LoRA": ({"peft_type": "LORA", "base_model_name_or_path": "org/base", "r": 8}, "LORA of org/base"),
    "PEFT's IA3": ({"peft_type": "IA3", "base_model_name_or_path": "/tmp/base"}, "IA3 of /tmp/base"),
    "one without its base (LLaMA-Factory)": ({"peft_type": "LORA"}, "LORA of no named base"),
}


def say(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "beside weights"])
def test_an_adapter_is_no_model_and_is_not_put_on_in_silence(tmp_path: Path, name: str, alone: bool) -> None:
    folder = tmp_path / "tuned"
    config, said = ADAPTERS[name]
    if not alone:
        save_llama(folder)
    say(folder / "adapter_config.json", config)
    with pytest.raises(SourceError, match="adapter") as error:
        open_source(str(folder))
    assert error.value.exit_code == 4 and said in error.value.message and "--adapter NAME=" in error.value.next


def test_weights_in_one_file_and_in_shards_are_two_models(tmp_path: Path) -> None:
    """transformers reads model.safetensors first, whatever the index says."""
    folder = save_llama(tmp_path / "m")
    shapes = llama_shapes()
    save_safetensors(folder / "model-00001-of-00001.safetensors", shapes)
    say(
        folder / "model.safetensors.index.json",
        {"weight_map": dict.fromkeys(shapes, "model-00001-of-00001.safetensors")},
    )
    with pytest.raises(SourceError, match="weights twice") as error:
        open_source(str(folder))
    assert "remove the older" in error.value.next
    say(folder / "model.safetensors.index.json", {"weight_map": dict.fromkeys(shapes, "model.safetensors")})
    assert open_source(str(folder)).model.left_out == ("weights that are not read: model-00001-of-00001.safetensors",)


@pytest.mark.parametrize(
    "files",
    [
        ("pytorch_model.bin",),  # transformers 4, both forms on the hub
        ("consolidated.safetensors", "consolidated.00.pth"),  # Mistral's and Meta's own
        ("onnx/model.onnx", "openvino/openvino_model.xml"),  # optimum's
        ("tf_model.h5", "flax_model.msgpack", "rust_model.ot"),  # the other frameworks'
        ("model.fp16.safetensors", "m-Q4_K_M.gguf"),  # a variant, llama.cpp's
    ],
)
def test_weights_that_are_not_read_are_named(tmp_path: Path, files: tuple[str, ...]) -> None:
    folder = save_llama(tmp_path / "m")
    for name in files:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"other weights")
    [line] = open_source(str(folder)).model.left_out
    assert line == f"weights that are not read: {', '.join(sorted(files))}"


def test_processors_templates_and_prompts_are_named(tmp_path: Path) -> None:
    folder = save_llama(tmp_path / "m")
    say(folder / "video_preprocessor_config.json", {})
    say(folder / "additional_chat_templates/tool_use.jinja", "x")
    say(folder / "config_sentence_transformers.json", {"prompts": {"query": "Represent this: ", "document": ""}})
    assert beside.left_out(folder) == (
        "processors that are not read: video_preprocessor_config.json",
        "chat templates besides the default: additional_chat_templates/tool_use.jinja",
        "the prompt 'query' of config_sentence_transformers.json: the app puts 'Represent this: ' before the text",
    )
    assert open_source(str(folder)).model.left_out == beside.left_out(folder)


ST = "sentence_transformers.models"
NET = {"idx": 0, "name": "0", "path": "", "type": f"{ST}.Transformer"}


def listed(folder: Path, *types: str) -> Path:
    rows = [{"idx": at + 1, "path": f"{at + 1}_{kind}", "type": f"{ST}.{kind}"} for at, kind in enumerate(types)]
    say(folder / "modules.json", [NET, *rows])
    return folder


def test_the_pooling_of_three_generations_of_sentence_transformers(tmp_path: Path) -> None:
    two = listed(tmp_path / "two", "Pooling", "Normalize")
    keys = dict.fromkeys(modules.POOLINGS, False)
    say(two / "1_Pooling/config.json", {"word_embedding_dimension": 8, **keys, "pooling_mode_mean_tokens": True})
    assert modules.steps(two) == ([{"kind": "pooling", "modes": ["mean"]}, {"kind": "normalize"}], "")
    joined = listed(tmp_path / "joined", "Pooling")
    say(joined / "1_Pooling/config.json", {"pooling_mode_cls_token": True, "pooling_mode_max_tokens": True})
    assert modules.steps(joined) == ([{"kind": "pooling", "modes": ["cls", "max"]}], "")
    five = listed(tmp_path / "five", "Pooling")
    say(five / "1_Pooling/config.json", {"embedding_dimension": 8, "pooling_mode": "lasttoken"})
    assert modules.steps(five) == ([{"kind": "pooling", "modes": ["lasttoken"]}], "")
    assert modules.steps(tmp_path) == ([], "")


@pytest.mark.parametrize(
    ("types", "configs", "why"),
    [
        (("SpladePooling",), {}, "the module SpladePooling"),
        (("Pooling", "Dense"), {"2_Dense": {"activation_function": "torch.nn.Mish"}}, "the activation Mish"),
        (("Pooling", "Dense"), {"2_Dense": {"activation_function": "torch.nn.Tanh"}}, "no safetensors file"),
        (("Normalize",), {}, "its first module is a normalize"),
        (("Pooling",), {"1_Pooling": {"pooling_mode": "attention"}}, "the pooling of 1_Pooling is not known"),
        (("Pooling", "LayerNorm"), {}, "the module LayerNorm"),
        (("Pooling", "Dense"), {"2_Dense": {"use_residual": True}}, "use_residual of 2_Dense"),
        (
            ("Pooling", "Dense"),
            {"2_Dense": {"module_input_name": "token_embeddings"}},  # ColBERT's
            "token_embeddings of 2_Dense",
        ),
        (
            ("Pooling",),
            {"1_Pooling": {"pooling_mode": "mean", "include_prompt": False}, ".": {"prompts": {"query": "q: "}}},
            "leaves the prompt's own tokens out",
        ),
    ],
)
def test_modules_that_are_not_known_are_not_guessed(
    tmp_path: Path, types: tuple[str, ...], configs: dict[str, Any], why: str
) -> None:
    folder = listed(tmp_path, *types)
    say(folder / "1_Pooling/config.json", {"pooling_mode": "mean"})
    for name, config in configs.items():
        say(folder / (modules.PROMPTS if name == "." else f"{name}/config.json"), config)
    made, said = modules.steps(folder)
    assert made == [] and why in said


def test_modules_behind_another_task_are_named(tmp_path: Path) -> None:
    """A sparse encoder of sentence-transformers 6 is a ForMaskedLM: its pooling was left out in silence."""
    folder = listed(tmp_path, "SpladePooling")
    made, said = modules.asked(folder, "fill-mask", token_vectors=False)
    assert made == [] and said == "SpladePooling: not built for the task fill-mask; the graph ends at the net's answer"
    assert modules.asked(listed(tmp_path / "net"), "fill-mask", token_vectors=False) == ([], "")
    assert modules.asked(folder, modules.POOLED, token_vectors=True) == ([], "")
    assert "the graph ends at the token vectors" in modules.asked(folder, modules.POOLED, token_vectors=False)[1]


@pytest.mark.parametrize(
    ("file", "settings", "named"),
    [
        ("config_sentence_transformers.json", {"truncate_dim": 8}, "the app takes the first 8 values"),
        ("config_sentence_transformers.json", {"activation_fn": "torch.nn.modules.activation.Sigmoid"}, "(Sigmoid)"),
        ("config.json", {"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Tanh"}}, "(Tanh)"),
        (
            "config_sentence_transformers.json",
            {"prompts": {"query": "q: "}, "default_prompt_name": "query"},
            "puts 'q: ' before every text",
        ),
    ],
)
def test_what_is_done_after_the_last_module_is_named(
    tmp_path: Path, file: str, settings: dict[str, Any], named: str
) -> None:
    say(tmp_path / file, settings)
    [line] = beside.left_out(tmp_path)
    assert named in line and file in line
    say(tmp_path / file, {"truncate_dim": None, "activation_fn": "torch.nn.Identity", "default_prompt_name": None})
    assert beside.left_out(tmp_path) == ()


GRAPHS = {
    "as the onnx backend exports": (
        {"last_hidden_state": ("b", "t", 8)},
        "at the token vectors",
    ),
    "with a pooler of its own": (
        {"last_hidden_state": ("b", "t", 8), "pooler_output": ("b", 8)},
        "what of it is not in",
    ),
    "as optimum exports, modules and all": ({"token_embeddings": ("b", "t", 8), "sentence_embedding": ("b", 8)}, ""),
}


@pytest.mark.parametrize("case", GRAPHS)
def test_modules_beside_a_graph_are_named_where_it_does_not_do_them(case: str, tmp_path: Path) -> None:
    shapes, named = GRAPHS[case]
    outputs = tuple(Tensor(name=name, dtype="float32", shape=shape) for name, shape in shapes.items())
    assert modules.beside_graph(tmp_path, outputs) == ()
    folder = listed(tmp_path, "Pooling", "Normalize")
    say(folder / "config_sentence_transformers.json", {"prompts": {"query": "q: "}})
    *lines, prompt = modules.beside_graph(folder, outputs)
    assert "the app puts 'q: ' before the text" in prompt and len(lines) == bool(named)
    assert not lines or ("modules.json: Pooling, Normalize: " in lines[0] and named in lines[0])


def test_the_modules_one_folder_above_a_graph_are_seen(tmp_path: Path) -> None:
    (tmp_path / "onnx").mkdir()
    save_onnx(tmp_path / "onnx" / "model.onnx")
    listed(tmp_path, "Pooling")
    say(tmp_path / "config.json", {})
    [line] = open_source(str(tmp_path / "onnx" / "model.onnx")).model.left_out
    assert line == "modules.json: Pooling: what of it is not in the graph is the app's"


def test_modules_without_a_net_are_no_model(tmp_path: Path) -> None:
    say(tmp_path / "modules.json", [{"path": "", "type": f"{ST}.StaticEmbedding"}])
    (tmp_path / "model.safetensors").write_bytes(b"a table")
    with pytest.raises(SourceError, match=r"holds no net: modules\.json begins with StaticEmbedding"):
        open_source(str(tmp_path))


def test_a_module_outside_the_folder_is_refused(tmp_path: Path) -> None:
    say(tmp_path / "modules.json", [NET, {"path": "../1_Pooling", "type": f"{ST}.Pooling"}])
    with pytest.raises(SourceError, match="outside"):
        modules.steps(tmp_path)
