"""A local Hugging Face folder: its facts, and every part that can be missing, broken or at odds."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import SourceError
from edgekit.sources import open_source
from edgekit.sources.facts.hf_folder import read_config, remote_code
from tests import needs
from tests.unit.sources.tiny_models import TOKENIZER, VOCAB, llama_shapes, save_llama, save_onnx, save_safetensors

pytestmark = pytest.mark.unit


def test_a_decoder(tmp_path: Path) -> None:
    folder = save_llama(tmp_path / "Tiny Llama")
    (folder / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\n# Tiny\n")
    (folder / "LICENSE").write_text("text")
    source = open_source(str(folder))
    model, llm = source.model, source.model.llm
    assert llm is not None
    assert (source.form, source.path, source.ref) == ("hf", folder, "Tiny Llama")
    assert (model.name, model.kind, model.architecture, model.dtype) == (
        "tiny-llama",
        "llm",
        "LlamaForCausalLM",
        "bfloat16",
    )
    assert model.license == "apache-2.0" and source.licenses == (folder / "LICENSE",)
    assert model.source_bytes == 2 * model.parameters
    assert (llm.context_length, llm.vocab_size, llm.layers, llm.kv_heads, llm.head_size) == (
        64,
        VOCAB,
        2,
        2,
        2,
    )
    assert llm.eos_token_ids == (2, 3, VOCAB - 1), "the generation config's, then the tokenizer's own end token"
    assert llm.tied_embeddings and llm.has_chat_template and llm.sliding_window is None and llm.bos_token_id == 1


MISTRAL = {"architectures": ["MistralForCausalLM"], "model_type": "mistral"}
QWEN2 = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2"}


@pytest.mark.parametrize(
    ("config", "window"),
    [
        ({**MISTRAL, "sliding_window": 16}, 16),
        ({**MISTRAL, "sliding_window": 64}, None),
        ({"sliding_window": 16}, None),  # Llama has none, whatever is left in its configuration
        ({**QWEN2, "sliding_window": 16}, None),
        ({**QWEN2, "sliding_window": 16, "use_sliding_window": True, "max_window_layers": 0}, 16),
        ({**QWEN2, "sliding_window": 16, "use_sliding_window": True}, None),  # of 28 layers and more
    ],
)
def test_sliding_window(tmp_path: Path, config: dict[str, Any], window: int | None) -> None:
    llm = open_source(str(save_llama(tmp_path / "m", config))).model.llm
    assert llm is not None and llm.sliding_window == window


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"architectures": None}, "names no architecture"),
        ({"rope_scaling": {"rope_type": "linear"}}, "the rotary embedding 'linear' has no factor"),
        ({"rope_scaling": {"rope_type": "longrope", "short_factor": [1.0]}}, "'longrope' has no long_factor"),
        (
            {"rope_scaling": {"type": "su", "short_factor": [1.0] * 8, "long_factor": [2.0] * 8}},
            "has no original_max_position_embeddings",
        ),
        ({"architectures": [3]}, "names no architecture"),
        ({"hidden_size": None}, "hidden_size is missing"),
        ({"hidden_size": "8"}, "hidden_size is '8', not a size"),
        ({"hidden_size": -8}, "hidden_size is '-8', not a size"),
        ({"num_hidden_layers": 10**12}, "num_hidden_layers is '1000000000000'"),
        ({"num_hidden_layers": 2**31 - 1}, "num_hidden_layers is '2147483647', not a size"),
        ({"num_hidden_layers": 3}, "says 3 layers, the weights have 2"),
        ({"num_hidden_layers": 1}, "says 1 layers, the weights have 2"),
        ({"vocab_size": 17}, r"implies \[17, 8\] for model.embed_tokens.weight, it is \[16, 8\]"),
        ({"intermediate_size": 13}, r"implies \[13, 8\] for model.layers.0.mlp.gate_proj.weight"),
        ({"num_key_value_heads": 4}, r"implies \[8, 8\] for model.layers.0.self_attn.k_proj.weight"),
        ({"head_dim": 4}, r"implies \[16, 8\] for model.layers.0.self_attn.q_proj.weight"),
        ({"tie_word_embeddings": False}, "lm_head has its own weights, but there are none"),
        ({"vocab_size": 8}, "ids up to 15, the model only 8 embeddings"),
    ],
)
def test_a_configuration_that_disagrees(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    _refused(save_llama(tmp_path / "m", config), message)


def _text(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text, encoding="utf-8")


def _remove(*names: str) -> Callable[[Path], object]:
    return lambda folder: [(folder / name).unlink() for name in names]


def _weights(change: Callable[[dict[str, tuple[int, ...]]], object]) -> Callable[[Path], object]:
    def apply(folder: Path) -> None:
        shapes = llama_shapes()
        change(shapes)
        save_safetensors(folder / "model.safetensors", shapes)

    return apply


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


NO_END = _text("tokenizer_config.json", "{}")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_text("config.json", "{"), "config.json is not readable JSON"),
        (_text("config.json", "[]"), "config.json holds no JSON object"),
        (_text("config.json", "[" * 100_000), "config.json is not readable JSON"),
        (_text("generation_config.json", "nope"), "generation_config.json is not readable JSON"),
        (
            _text("generation_config.json", '{"eos_token_id": 99}'),
            r"end tokens \[99, 15\] are beyond the vocabulary",
        ),
        (_text("tokenizer.json", '{"model": {}}'), "tokenizer.json is broken"),
        (_text("tokenizer.json", '{"model": {"vocab": [1, 2]}}'), "tokenizer.json is broken"),
        (_text("tokenizer.json", json.dumps(TOKENIZER)[:-20]), "tokenizer.json is not readable JSON"),
        (_remove("tokenizer.json", "tokenizer_config.json"), "has no tokenizer"),
        (
            _text("tokenizer.json", json.dumps(TOKENIZER | {"model": {"type": "WordLevel", "vocab": {"a": 0}}})),
            "tokenizer.json is a WordLevel, which cuts whole words",
        ),
        (_remove("model.safetensors"), "has a config.json but no weights"),
        (_pickled, r"the weights are pickled \(pytorch_model.bin\)"),
        (
            _weights(lambda shapes: shapes.pop("model.layers.1.mlp.up_proj.weight")),
            "layer 1 lacks the weight",
        ),
        (_weights(lambda shapes: shapes.update({"lm_head.weight": (3, 3)})), "for lm_head.weight"),
        (
            lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 100),
            "model.safetensors is damaged",
        ),
    ],
)
def test_a_damaged_folder(tmp_path: Path, change: Callable[[Path], object], message: str) -> None:
    folder = save_llama(tmp_path / "m")
    change(folder)
    _refused(folder, message)


@pytest.mark.parametrize(("stated", "ends"), [(5, (2, 3, VOCAB - 1)), (VOCAB - 2, (2, 3, VOCAB - 2, VOCAB - 1))])
def test_end_tokens_of_both_configurations(tmp_path: Path, stated: int, ends: tuple[int, ...]) -> None:
    """One that config.json alone names ends an answer if it is a special token; else it is another model's."""
    folder = save_llama(tmp_path / "m", {"eos_token_id": stated})
    document = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    document["added_tokens"].append({"id": VOCAB - 2, "content": "<turn>", "special": True})
    (folder / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    llm = open_source(str(folder)).model.llm
    assert llm is not None and llm.eos_token_ids == ends


def test_no_end_token_at_all(tmp_path: Path) -> None:
    folder = save_llama(tmp_path / "m", {"eos_token_id": None})
    (folder / "generation_config.json").unlink()
    NO_END(folder)
    _refused(folder, "names no end token")


def test_own_code_asks_for_trust(tmp_path: Path) -> None:
    config = {
        "architectures": ["InternLM2ForCausalLM"],
        "model_type": "internlm2",
        "auto_map": {"AutoModel": "modeling_internlm2.InternLM2ForCausalLM"},
    }
    folder = save_llama(tmp_path / "m", config)
    _refused(folder, "config.json asks to run the code that came with the model", next="--trust-remote-code")
    source = open_source(str(folder), trust_remote_code=True)
    assert source.trust_remote_code and "trusted by the user" in source.origin[-1]


def test_code_that_is_never_run_asks_for_none(tmp_path: Path) -> None:
    if find_spec("transformers") is None:
        needs.unavailable("transformers is not installed: make env installs it")
    config = {"auto_map": {"AutoModelForCausalLM": "modeling_llama.LlamaForCausalLM"}}
    folder = save_llama(tmp_path / "m", config)
    assert remote_code(folder, read_config(folder)) is None
    source = open_source(str(folder), trust_remote_code=True)
    assert not source.trust_remote_code, "transformers' own Llama is used"


def test_a_task_a_decoder_cannot_have(tmp_path: Path) -> None:
    folder = save_llama(tmp_path / "m")
    with pytest.raises(SourceError, match="generates text"):
        open_source(str(folder), task="image-classification")


def test_an_architecture_without_a_known_task(tmp_path: Path) -> None:
    folder = save_llama(tmp_path / "m", {"architectures": ["OddThing"]})
    _refused(folder, "OddThing is not a model edgekit exports by itself", next="--task")


def test_a_folder_whose_weights_are_onnx(tmp_path: Path) -> None:
    folder = save_llama(tmp_path / "Net")
    (folder / "model.safetensors").unlink()
    save_onnx(folder / "model.onnx", name="input_ids")
    source = open_source(str(folder))
    assert source.form == "onnx" and source.model.name == "net"
    form = source.model.inputs[0].preprocess
    assert form is not None and form.kind == "text" and form.max_tokens == 64


def _refused(folder: Path, message: str, *, next: str = "") -> None:
    with pytest.raises(SourceError, match=message) as error:
        open_source(str(folder))
    assert error.value.exit_code == 4 and error.value.next and "\n" not in error.value.message
    assert next in error.value.next


def test_a_hubs_cache_is_made_of_links(tmp_path: Path) -> None:
    """Each file of a snapshot links to a blob beside the snapshots; a link to anywhere else is not followed."""
    hub = tmp_path / "models--org--tiny"
    made, snapshot = save_llama(tmp_path / "made"), hub / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (hub / "blobs").mkdir()
    (made / "LICENSE").write_text("the licence")
    for number, path in enumerate(sorted(made.iterdir())):
        path.rename(hub / "blobs" / str(number))
        (snapshot / path.name).symlink_to(f"../../blobs/{number}")
    source = open_source(str(snapshot))
    assert source.model.parameters == 1128 and [path.name for path in source.licenses] == ["LICENSE"]
    (tmp_path / "secret").write_text("key")
    (snapshot / "NOTICE").symlink_to(tmp_path / "secret")
    _refused(snapshot, "NOTICE is a link that leads out of the model's folder", next="cp -L")


def test_a_licence_beside_a_graph_that_links_out_is_left_out(tmp_path: Path) -> None:
    folder = save_llama(tmp_path / "net")
    (folder / "model.safetensors").unlink()
    save_onnx(folder / "model.onnx")
    (tmp_path / "secret").write_text("key")
    (folder / "LICENSE").symlink_to(tmp_path / "secret")
    assert open_source(str(folder)).licenses == ()
