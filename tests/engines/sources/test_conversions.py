"""Conversions by the real engines: GGUF and ONNX export, on real models and on tiny ones."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit import cache
from edgekit.data import pretty
from edgekit.errors import SourceError
from edgekit.sources import Source, open_source

pytestmark = pytest.mark.olive

QUESTION = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def hf() -> Iterator[Any]:
    import transformers

    before = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    yield transformers
    transformers.logging.set_verbosity(before)


@pytest.fixture(scope="module")
def llama() -> Source:
    return open_source("smollm2-135m-instruct")


def _logits(hf: Any, folder: Path) -> Any:
    """Next-token logits after QUESTION, [tokens, vocabulary], float32."""
    import torch

    tokenizer = hf.AutoTokenizer.from_pretrained(str(folder))
    model = hf.AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32).eval()
    with torch.no_grad():
        logits = model(**tokenizer(QUESTION, return_tensors="pt")).logits[0]
    return tokenizer, logits


def test_a_real_gguf(hf: Any, llama: Source) -> None:
    model, llm = llama.model, llama.model.llm
    assert llm is not None and llama.form == "hf" and llama.ref == "smollm2-135m-instruct"
    assert (model.architecture, model.license, model.parameters) == (
        "LlamaForCausalLM",
        "Apache-2.0",
        134_515_008,
    )
    assert (llm.context_length, llm.layers, llm.kv_heads, llm.head_size) == (8192, 30, 3, 64)
    assert llm.eos_token_ids[0] == 2 and llm.has_chat_template and llm.tied_embeddings
    assert llama.origin[0].startswith("stands in for hf:HuggingFaceTB/SmolLM2-135M-Instruct, which could not be had")
    assert "sha256 b179c952" in llama.origin[1] and llama.origin[2] == "converted from GGUF to safetensors"
    tokenizer, logits = _logits(hf, llama.path)
    best = tokenizer.decode(logits[-1].argmax().item()).strip()
    assert best in ("The", "Paris"), best


def test_what_stands_in_for_the_hubs_model_is_said(llama: Source, capsys: pytest.CaptureFixture[str]) -> None:
    assert open_source("smollm2-135m-instruct").origin == llama.origin
    said = " ".join(capsys.readouterr().err.split())
    assert "hf:HuggingFaceTB/SmolLM2-135M-Instruct cannot be had (HF_HUB_OFFLINE forbids" in said
    assert "quantized twice" in said


def test_minilm_as_onnx(hf: Any) -> None:
    source = open_source("all-minilm-l6-v2")
    assert source.form == "onnx" and source.model.opset == 18 and source.model.architecture == "BertModel"
    assert [one.preprocess.kind for one in source.model.inputs if one.preprocess] == ["text"] * 3
    assert (source.path.parent / "tokenizer.json").is_file(), "the bundle's inputs are made with it"
    assert b"/transformers/" not in source.path.read_bytes(), "no path of the machine that exported it"
    near, far = _similarity(hf, source.path)
    assert near > 0.6 > 0.2 > far


def _similarity(hf: Any, path: Path) -> tuple[float, float]:
    """Cosines of a sentence with its paraphrase and with an unrelated one, by mean pooling."""
    import onnxruntime

    texts = ["A man is eating food.", "A man is eating a meal.", "The stock market fell sharply today."]
    feeds = hf.AutoTokenizer.from_pretrained(str(path.parent))(texts, padding=True, return_tensors="np")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    hidden = session.run(["last_hidden_state"], {key: value.astype(np.int64) for key, value in feeds.items()})[0]
    mask = feeds["attention_mask"][..., None]
    pooled = (hidden * mask).sum(1) / mask.sum(1)
    pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)
    return float(pooled[0] @ pooled[1]), float(pooled[0] @ pooled[2])


TINY = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}


def test_a_vision_model(hf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    hf.ViTForImageClassification(hf.ViTConfig(**TINY, image_size=32, patch_size=8)).save_pretrained(tmp_path / "vit")
    hf.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path / "vit")
    source = open_source(str(tmp_path / "vit"))
    assert source.model.task == "image-classification" and source.origin[0].startswith("exported to ONNX")
    form = source.model.inputs[0].preprocess
    assert form is not None and form.kind == "image"
    assert (form.width, form.height, form.mean, form.std) == (32, 32, (0.5,) * 3, (0.5,) * 3)
    again = cache.path_digest(source.path)
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "other"))
    assert cache.path_digest(open_source(str(tmp_path / "vit")).path) == again, "the same bytes each time"


def test_a_sentence_embedding_ends_in_its_vector(hf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As sentence-transformers saves it: the mean of the tokens, a dense layer, length 1; a prompt is the app's."""
    import torch
    from safetensors.torch import save_file

    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "embedder"
    net = hf.BertModel(hf.BertConfig(**TINY, vocab_size=30, max_position_embeddings=32)).eval()
    net.save_pretrained(folder)
    types = ("Transformer", "Pooling", "Dense", "Normalize")
    kinds = [{"path": f"{at}_{kind}" if at else "", "type": f"x.{kind}"} for at, kind in enumerate(types)]
    for name, content in {
        "modules.json": kinds,
        "1_Pooling/config.json": {"pooling_mode_mean_tokens": True},
        "2_Dense/config.json": {"activation_function": "torch.nn.modules.activation.Tanh", "bias": True},
        "config_sentence_transformers.json": {"prompts": {"query": "query: "}},
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(pretty(content), encoding="utf-8")
    dense = torch.nn.Linear(16, 6)
    save_file(
        {f"linear.{key}": value for key, value in dense.state_dict().items()}, folder / "2_Dense/model.safetensors"
    )
    source = open_source(str(folder))
    assert [output.name for output in source.model.outputs] == ["sentence_embedding"]
    assert "pooling, dense, normalize" in source.origin[0] and "'query: '" in source.model.left_out[0]
    ids, mask = torch.tensor([[1, 2, 3, 4], [5, 6, 0, 0]]), torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    with torch.no_grad():
        hidden = net(input_ids=ids, attention_mask=mask).last_hidden_state * mask[..., None]
        vectors = torch.tanh(dense(hidden.sum(1) / mask.sum(1, keepdim=True)))
    feeds = {"input_ids": ids.numpy(), "attention_mask": mask.numpy(), "token_type_ids": np.zeros((2, 4), np.int64)}
    [made] = _session(source.path).run(None, feeds)
    np.testing.assert_allclose(made, torch.nn.functional.normalize(vectors).numpy(), atol=1e-5)
    _as_of_old(folder, kinds)
    again = open_source(str(folder))
    assert (again.path, again.model) == (source.path, source.model), "laid flat it is the same folder, byte for byte"


def _as_of_old(folder: Path, kinds: list[dict[str, str]]) -> None:
    """The layout of sentence-transformers before version 1: the net in 0_Transformer, a version in its place."""
    (folder / "0_Transformer").mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).rename(folder / "0_Transformer" / name)
    kinds[0]["path"] = "0_Transformer"
    (folder / "modules.json").write_text(json.dumps(kinds), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps({"__version__": "0.2.5"}), encoding="utf-8")


def _session(path: Path) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def test_a_speech_model(hf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    config = hf.Wav2Vec2Config(
        **TINY,
        vocab_size=12,
        conv_dim=(16, 16),
        conv_stride=(4, 4),
        conv_kernel=(8, 8),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
    )
    hf.Wav2Vec2ForCTC(config).save_pretrained(tmp_path / "wav")
    hf.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path / "wav")
    tokens = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEF", "'"]
    (tmp_path / "wav" / "vocab.json").write_text(json.dumps({token: at for at, token in enumerate(tokens)}))
    source = open_source(str(tmp_path / "wav"))
    form = source.model.inputs[0].preprocess
    assert source.model.task == "automatic-speech-recognition" and form is not None and form.kind == "audio"
    assert form.sample_rate == 16000
    assert source.decode == "ctc" and source.names == ("", "", "", "", " ", *"ABCDEF", "'")


def test_what_cannot_be_exported(hf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "bert"
    hf.BertModel(hf.BertConfig(**TINY, vocab_size=32)).save_pretrained(folder)
    with pytest.raises(SourceError, match="cannot be exported for image-classification") as error:
        open_source(str(folder), task="image-classification")
    assert error.value.exit_code == 4 and "--task" in error.value.next and "\n" not in error.value.message
    changed = json.loads((folder / "config.json").read_text()) | {"hidden_size": 18}
    (folder / "config.json").write_text(json.dumps(changed))
    with pytest.raises(SourceError, match="cannot be exported for feature-extraction"):
        open_source(str(folder))
    assert not [path for path in (tmp_path / "cache" / "import").iterdir() if path.is_dir()], "nothing half-made stays"


def test_weights_are_never_made_up(hf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    hf.BertModel(hf.BertConfig(**TINY, vocab_size=32), add_pooling_layer=False).save_pretrained(tmp_path / "bert")
    assert open_source(str(tmp_path / "bert")).form == "onnx", "a pooler that is not used may be missing"
    with pytest.raises(SourceError, match="has no weights for classifier"):
        open_source(str(tmp_path / "bert"), task="text-classification")


def test_code_beside_the_weights_is_not_run(hf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "bert"
    hf.BertModel(hf.BertConfig(**TINY, vocab_size=32)).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Evil: pass\n")
    for trust in (False, True):
        assert not open_source(str(folder), trust_remote_code=trust).trust_remote_code
    assert not (tmp_path / "ran").exists()


def test_a_text_encoder_decoder_is_several_graphs(hf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    config = hf.T5Config(d_model=16, d_kv=8, d_ff=24, num_layers=1, num_heads=2, vocab_size=32)
    hf.T5ForConditionalGeneration(config).save_pretrained(tmp_path / "t5")
    with pytest.raises(SourceError, match="is an encoder and a decoder: several graphs") as error:
        open_source(str(tmp_path / "t5"))
    assert "--task text2text-generation" in error.value.next
    with pytest.raises(SourceError, match="becomes 2 graphs"):
        open_source(str(tmp_path / "t5"), task="text2text-generation")


WHISPER = {
    "d_model": 16,
    **dict.fromkeys(("encoder_layers", "decoder_layers"), 1),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 2),
    **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 24),
    "vocab_size": 64,
    "num_mel_bins": 8,
    "max_target_positions": 20,
    **{"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1},
    **dict.fromkeys(("suppress_tokens", "begin_suppress_tokens")),
}


def test_whisper_is_built_graph_by_graph(hf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal names a way, and that way works: it is gone here, word by word."""
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    hf.WhisperForConditionalGeneration(hf.WhisperConfig(**WHISPER)).save_pretrained(tmp_path / "whisper")
    with pytest.raises(SourceError, match="WhisperForConditionalGeneration is an encoder and a decoder") as error:
        open_source(str(tmp_path / "whisper"))
    command, _, rest = error.value.next.partition(", then ")
    assert rest == "build each .onnx file of OUT by itself"
    words = command.replace("FOLDER", str(tmp_path / "whisper")).replace("OUT", str(tmp_path / "out")).split()
    assert words[:3] == ["optimum-cli", "export", "onnx"]
    done = subprocess.run([Path(sys.executable).with_name(words[0]), *words[1:]], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    with pytest.raises(SourceError, match="holds 2 ONNX models") as error:
        open_source(str(tmp_path / "out"))
    assert error.value.next == "give one: decoder_model.onnx, encoder_model.onnx"
    encoder, decoder = (open_source(str(tmp_path / "out" / f"{part}_model.onnx")) for part in ("encoder", "decoder"))
    assert [(one.name, one.shape) for one in encoder.model.inputs] == [("input_features", ("batch_size", 8, 3000))]
    assert [(one.name, one.dtype) for one in decoder.model.inputs] == [
        ("input_ids", "int64"),
        ("encoder_hidden_states", "float32"),
    ]
    assert decoder.model.outputs[0].shape[-1] == 64


def test_a_classifier_on_an_encoder_decoder(hf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its architecture has both halves, its export is one graph."""
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    model = hf.WhisperForAudioClassification(hf.WhisperConfig(**WHISPER, num_labels=3))
    model.save_pretrained(tmp_path / "whisper")
    source = open_source(str(tmp_path / "whisper"))
    assert source.model.task == "audio-classification" and source.model.outputs[0].shape == ("batch_size", 3)


@pytest.mark.parametrize(
    "family", ["Llama", *(pytest.param(name, marks=pytest.mark.nightly) for name in ("Qwen2", "Mistral"))]
)
def test_a_classifier_that_the_weights_are_not_of(
    hf: Any, family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing is the cause, whatever the export stumbles over first."""
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    config = getattr(hf, f"{family}Config")(**DECODER)
    folder = tmp_path / "model"
    getattr(hf, f"{family}ForCausalLM")(config).save_pretrained(folder)
    stated = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(stated | {"architectures": [f"{family}ForSequenceClassification"]}))
    with pytest.raises(SourceError, match=r"no weights for score\.weight") as error:
        open_source(str(folder))
    assert error.value.exit_code == 4 and "architectures" in error.value.next


DECODER = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
}
