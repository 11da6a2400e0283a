"""A decoder's facts from its config.json alone: what a model will take can be asked before its weights are fetched."""

from __future__ import annotations

import json
from pathlib import Path

from edgekit.errors import SourceError
from edgekit.kinds import llm
from edgekit.model import MAX_LAYERS, UNREAD, DecoderFacts, Model
from edgekit.sources.facts import architectures, hf_folder, quantized
from edgekit.sources.facts.files import name_of
from edgekit.sources.facts.hf_folder import Config

UNGATED = ("phi",)  # model types whose feed-forward layers are two matrices, not three


def described(path: Path) -> Model:
    """The decoder of a folder, or of its config.json.

    Raises:
        SourceError: no configuration, none of a decoder, or one that cannot be built.
    """
    folder = path.parent if path.name == "config.json" else path
    if folder.is_file():
        raise SourceError(f"{folder.name} is no language model", next="edgekit build --dry-run plans other models")
    if not (folder / "config.json").is_file():
        raise SourceError(f"there is no {folder.name}/config.json", next="give a folder with a config.json")
    try:
        config = hf_folder.read_config(folder)
    except json.JSONDecodeError as error:
        raise SourceError(f"config.json is no JSON: {error}", next="get it again") from None
    named = config["architectures"][0]
    if not hf_folder.is_llm(config):
        raise SourceError(f"{named} is no language model", next="edgekit build --dry-run plans other models")
    row = architectures.check(named)
    quantized.refuse(folder, config)
    facts = _facts(config)
    return Model(
        name=name_of(folder.absolute()),
        kind=llm.KIND.name,
        architecture="Phi3ForCausalLM" if row.answer == "text part" else named,
        task="text-generation",
        parameters=_parameters(config, facts),
        source_bytes=_parameters(config, facts) * (4 if config.get("torch_dtype") == "float32" else 2),
        dtype=str(config.get("torch_dtype") or "bfloat16"),
        sha256=UNREAD,
        llm=facts,
    )


def _facts(config: Config) -> DecoderFacts:
    number = hf_folder.number
    heads, hidden = number(config, "num_attention_heads", "n_head"), number(config, "hidden_size", "n_embd")
    head_size = number(config, "head_dim") if config.get("head_dim") else hidden // heads
    context = number(config, "max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")
    return DecoderFacts(
        context_length=context,
        vocab_size=number(config, "vocab_size"),
        layers=number(config, "num_hidden_layers", "n_layer", most=MAX_LAYERS),
        kv_heads=number(config, "num_key_value_heads", "num_attention_heads", "n_head"),
        head_size=head_size,
        rotary_size=hf_folder.turned(config, head_size),
        hidden_size=hidden,
        inner_size=number(config, "intermediate_size") if config.get("intermediate_size") else None,
        eos_token_ids=(),
        sliding_window=hf_folder.sliding_window(config, context),
        longrope_beyond=hf_folder.longrope(config, context),
        tied_embeddings=bool(config.get("tie_word_embeddings", False)),
        has_chat_template=True,
    )


def _parameters(config: Config, facts: DecoderFacts) -> int:
    """The matrices and norms that these sizes imply; biases, a thousandth, are left out."""
    heads = hf_folder.number(config, "num_attention_heads", "n_head")
    inner = facts.inner_size or 4 * facts.hidden_size
    attention = facts.hidden_size * facts.head_size * (2 * heads + 2 * facts.kv_heads)
    matrices = 2 if config.get("model_type") in UNGATED else 3
    layer = attention + matrices * facts.hidden_size * inner + 2 * facts.hidden_size
    ends = facts.vocab_size * facts.hidden_size * (1 if facts.tied_embeddings else 2)
    return ends + facts.layers * layer + facts.hidden_size
