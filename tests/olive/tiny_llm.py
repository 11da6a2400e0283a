"""Language models of a megabyte: random weights in real architectures, with a real tokenizer trained on the spot.

The fixture trap of random checkpoints: no Linear's out_features, nor twice the inner size, may equal the vocabulary's
size, and the rotary dimension must be a multiple of 16, or the graph builder takes one matrix for another.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

VOCAB = 640
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TOOLS = "{% if tools %}<|im_start|>system\nTools: {{ tools | tojson }}<|im_end|>\n{% endif %}" + CHATML
PHI3 = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
TEXT = Path(__file__).parents[2] / "edgekit" / "quality" / "data" / "text"


def tokenizer(folder: Path, template: str = CHATML, vocabulary: int = VOCAB) -> Path:
    """A byte-level BPE in the folder, trained on the gate's own text, with a ChatML template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator((path.read_text(encoding="utf-8") for path in sorted(TEXT.iterdir())), trainer)
    folder.mkdir(parents=True, exist_ok=True)
    bpe.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "GPT2Tokenizer",
        "bos_token": SPECIAL[0],
        "eos_token": SPECIAL[2],
        "unk_token": SPECIAL[0],
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 100_000,
        **({"chat_template": template} if template else {}),
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def phi3(folder: Path, *, layers: int = 2, template: str = CHATML, **changes: Any) -> Path:
    """A Phi3ForCausalLM folder; `changes` are of its configuration (sliding_window, rope_scaling, ...)."""
    import torch
    from transformers import Phi3Config, Phi3ForCausalLM

    tokenizer(folder, template)
    sizes = {
        "vocab_size": VOCAB,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "original_max_position_embeddings": 512,
        "initializer_range": 0.25,
        "tie_word_embeddings": False,
        "bos_token_id": 0,
        "eos_token_id": [2, 0],
        "pad_token_id": 0,
        "sliding_window": None,
    }
    torch.manual_seed(0)
    model = Phi3ForCausalLM(Phi3Config(**(sizes | changes)))
    model.generation_config.eos_token_id = [2, 0]
    model.save_pretrained(folder)
    return folder


def llama(folder: Path, *, layers: int = 2, template: str = CHATML, dtype: str = "float32", **changes: Any) -> Path:
    """A LlamaForCausalLM folder with tied embeddings."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer(folder, template)
    sizes = {
        "vocab_size": VOCAB,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 768,
        "initializer_range": 0.15,
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": [2, 0],
    }
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**(sizes | changes))).to(getattr(torch, dtype))
    model.generation_config.eos_token_id = [2, 0]
    model.save_pretrained(folder)
    return folder


def gemma3(folder: Path, **changes: Any) -> Path:
    """A Gemma3ForCausalLM folder of six layers, of which the last one looks at everything."""
    import torch
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    tokenizer(folder)
    sizes = {
        "vocab_size": VOCAB,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 6,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 512,
        "sliding_window": 64,
        "query_pre_attn_scalar": 16,
        "initializer_range": 0.25,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }
    torch.manual_seed(0)
    Gemma3ForCausalLM(Gemma3TextConfig(**(sizes | changes))).float().save_pretrained(folder)
    return folder


def phi(folder: Path, *, layers: int = 2, **changes: Any) -> Path:
    """A PhiForCausalLM folder, as Phi-2: partial rotary, biases everywhere and of norms too, no chat template."""
    import torch
    from transformers import PhiConfig, PhiForCausalLM

    tokenizer(folder, "")
    sizes = {
        "vocab_size": VOCAB,
        "hidden_size": 64,
        "intermediate_size": 160,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "partial_rotary_factor": 0.5,
        "max_position_embeddings": 512,
        "initializer_range": 0.15,
        "tie_word_embeddings": False,
        "bos_token_id": 0,
        "eos_token_id": 2,
    }
    torch.manual_seed(0)
    model = PhiForCausalLM(PhiConfig(**(sizes | changes)))
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:
            parameter.data += 0.1 * torch.randn_like(parameter)
        if name.endswith("embed_tokens.weight"):
            parameter.data *= 0.01  # a stream this small shows another epsilon
    model.save_pretrained(folder)
    return folder


def longrope(border: int, longest: int, head: int = 16) -> dict[str, Any]:
    """The configuration of a model that changes its rotary factors after `border` tokens."""
    return {
        "max_position_embeddings": longest,
        "original_max_position_embeddings": border,
        "rope_scaling": {
            "type": "longrope",
            "short_factor": [1.0] * (head // 2),
            "long_factor": [1.0 + 0.5 * at for at in range(head // 2)],
        },
    }


def copy(folder: Path, to: Path, **changes: dict[str, Any]) -> Path:
    """A copy whose JSON files have some keys changed: config={"a": 1} changes config.json; None removes a key."""
    shutil.copytree(folder, to)
    for name, keys in changes.items():
        path = to / f"{name}.json"
        data = json.loads(path.read_text()) | keys
        path.write_text(json.dumps({key: value for key, value in data.items() if value is not None}))
    return to
