"""What a Hugging Face folder says of itself: configuration, end tokens, weights; and where these disagree."""

from __future__ import annotations

import re
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any

from edgekit.errors import SourceError
from edgekit.kinds import llm
from edgekit.model import MAX_LAYERS, UNREAD, DecoderFacts, Model
from edgekit.sources.facts import answers, cut, foreign, quantized, rope_numbers, safetensors, templates, weight_names
from edgekit.sources.facts.files import (
    AGAIN,
    PICKLES,
    TOKENIZER_LIMIT,
    check_links,
    license_of,
    optional_json,
    read_json,
)
from edgekit.sources.facts.newer import ROPE_TYPES
from edgekit.sources.facts.prefix import prefix_ids
from edgekit.sources.facts.safetensors import Weight

Config = dict[str, Any]
DISAGREE = "get the folder again: config.json and weights must come from the same release"
ORIGINAL = "original_max_position_embeddings"
ROPE_NEEDS = {
    "linear": ("factor",),
    "dynamic": ("factor",),
    "yarn": ("factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor", ORIGINAL),
    "longrope": ("short_factor", "long_factor"),
    "su": ("short_factor", "long_factor"),
}
OLD_ROPE_TYPES = ("su", "mrope")  # LongRoPE's first name; sections of positions, which are all one in plain text
LARGEST = (1 << 31) - 1  # no size in a configuration is beyond this
# Decoders of the plain kind, whose every weight's shape follows from the configuration.
PLAIN = (
    "llama",
    "mistral",
    "phi3",
    "qwen2",
    "qwen3",
    "gemma",
    "gemma2",
    "gemma3_text",
    "granite",
    "smollm3",
    "olmo2",
)
CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")  # a Python class
LAYER = re.compile(r"(?:^|\.)layers\.(\d+)\.(.+)$")


def read_config(folder: Path) -> Config:
    """config.json; that of the text part where a model has several.

    Raises:
        SourceError: missing, broken, or without the name of an architecture; a link out of the folder.
    """
    check_links(folder)
    config = read_json(folder / "config.json")
    architectures = config.get("architectures")
    named = architectures[0] if isinstance(architectures, list) and architectures else None
    wrapped = config.get("model_type") == foreign.TIMM  # for which transformers asks timm, and optimum has no export
    if not isinstance(named, str) or not CLASS.fullmatch(named) or wrapped:
        plain = SourceError("config.json names no architecture", next="give a folder written by save_pretrained")
        raise foreign.configured(folder, config) or plain
    text = config.get("text_config")
    return {**config, **text, "architectures": architectures} if isinstance(text, dict) else config


def is_llm(config: Config) -> bool:
    """True for a decoder that writes text: a causal language model without an encoder."""
    named: str = config["architectures"][0]
    return named.endswith(("ForCausalLM", "LMHeadModel")) and not config.get("is_encoder_decoder")


def remote_code(folder: Path, config: Config) -> str | None:
    """The folder's own code that loading it would run; None where transformers has the architecture itself.

    Many checkpoints (Phi-3 among them) carry the code they were published with although transformers has it
    since: that code is never run, so it asks for no trust.
    """
    for name in ("config.json", "tokenizer_config.json", "preprocessor_config.json", "processor_config.json"):
        mapped = optional_json(folder / name).get("auto_map")
        if mapped and not (name == "config.json" and _native(config)) and not _native_tokenizer(folder, name):
            return name
    return None


def _native(config: Config) -> bool:
    """True where the installed transformers has this class; its source is searched, nothing is imported."""
    spec = find_spec("transformers")
    kind = config.get("model_type")
    if spec is None or not spec.submodule_search_locations or not isinstance(kind, str) or not kind.isidentifier():
        return False
    source = Path(spec.submodule_search_locations[0]) / "models" / kind / f"modeling_{kind}.py"
    return source.is_file() and f"class {config['architectures'][0]}(" in source.read_text(encoding="utf-8")


def _native_tokenizer(folder: Path, name: str) -> bool:
    """A tokenizer.json is data that needs no code, whatever class the publisher wrote around it."""
    return name == "tokenizer_config.json" and (folder / "tokenizer.json").is_file()


def read_weights(folder: Path) -> dict[str, Weight]:
    """The tensors of the folder's safetensors files.

    Raises:
        SourceError: no weights, only pickled ones, or headers that lie.
    """
    weights = safetensors.read_folder(folder)
    if weights:
        return weights
    names = sorted(path.name for path in folder.iterdir())
    pickled = [name for name in names if Path(name).suffix in PICKLES and not foreign.named(name)]
    if pickled:
        raise SourceError(
            f"the weights are pickled ({pickled[0]}): loading them could run any code, so edgekit never does",
            next="convert them where you trust them: model.save_pretrained(FOLDER, safe_serialization=True)",
        )
    if told := foreign.of(folder):
        raise told
    if llamas := [name for name in names if name.endswith(".gguf")]:
        raise SourceError(f"{folder.name} holds its weights as GGUF", next=f"give {folder / llamas[0]}")
    others = [name for name in names if name.endswith(".safetensors")]
    instead = f"name {others[0]} {safetensors.SINGLE}, if it holds all of them" if others else ""
    raise SourceError(
        f"{folder.name} has a config.json but no weights ({safetensors.SINGLE})",
        next=instead or "give the model's whole folder",
    )


def llm_model(folder: Path, config: Config, *, name: str, weights: dict[str, Weight] | None = None) -> Model:
    """The facts of a decoder's folder; its bytes are not read through (Source.whole does).

    Args:
        weights: what the folder will hold, where they are not there yet.

    Raises:
        SourceError: parts that are missing or that disagree with each other.
    """
    weights = read_weights(folder) if weights is None else weights
    quantized.refuse(folder, config, weights)
    facts, repairs = _decoder_facts(folder, config, weights)
    _check_shapes(config, facts, weights)
    counted = [one for key, one in weights.items() if not (facts.tied_embeddings and key.endswith("lm_head.weight"))]
    sizes: dict[str, int] = {}
    for one in counted:
        sizes[one.dtype] = sizes.get(one.dtype, 0) + one.nbytes
    main = max(sizes, key=lambda dtype: sizes[dtype])
    return Model(
        name=name,
        kind=llm.KIND.name,
        architecture=config["architectures"][0],
        task="text-generation",
        parameters=sum(prod(one.shape) for one in counted),
        source_bytes=sum(one.nbytes for one in weights.values()),
        dtype=safetensors.NUMPY.get(main, main.lower()),
        license=license_of(folder),
        sha256=UNREAD,
        llm=facts,
        repairs=repairs,
    )


def _decoder_facts(folder: Path, config: Config, weights: dict[str, Weight]) -> tuple[DecoderFacts, tuple[str, ...]]:
    """The facts, and what had to be repaired for them."""
    _known_rope(config)
    heads = number(config, "num_attention_heads", "n_head")
    hidden = number(config, "hidden_size", "n_embd")
    head_size = number(config, "head_dim") if config.get("head_dim") else hidden // heads
    rope_numbers.check(config, head_size, turned(config, head_size))
    vocab = number(config, "vocab_size")
    context = number(config, "max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")
    begin = config.get("bos_token_id")
    if type(begin) is int and begin >= vocab:
        raise SourceError(f"the begin token {begin} is beyond the vocabulary of {vocab}", next=DISAGREE)
    tokens = Tokens(folder, vocab, config)
    generation = optional_json(folder / "generation_config.json")
    named = _end_ids(generation if "eos_token_id" in generation else config)
    # What is left of another model's configuration is no special token of this one.
    named += [end for end in _end_ids(config) if end in tokens.special_ids and end not in named]
    eos = tuple(dict.fromkeys(named if tokens.end is None else [*named, tokens.end]))
    if not eos:
        raise SourceError("the model names no end token", next="add eos_token_id to generation_config.json")
    if not all(0 <= one < vocab for one in eos):
        raise SourceError(f"end tokens {list(eos)} are beyond the vocabulary of {vocab}", next=DISAGREE)
    facts = DecoderFacts(
        context_length=context,
        vocab_size=vocab,
        layers=number(config, "num_hidden_layers", "n_layer", most=MAX_LAYERS),
        kv_heads=number(config, "num_key_value_heads", "num_attention_heads", "n_head"),
        head_size=head_size,
        rotary_size=turned(config, head_size),
        hidden_size=hidden,
        inner_size=number(config, "intermediate_size") if config.get("intermediate_size") else None,
        eos_token_ids=eos,
        bos_token_id=begin if type(begin) is int and begin >= 0 else None,
        prefix_token_ids=tokens.prefix,
        sliding_window=sliding_window(config, context),
        longrope_beyond=longrope(config, context),
        tied_embeddings=_tied(config, weights),
        has_chat_template=tokens.has_chat_template,
        answers=answers.read(folder, tokens.ids, tokens.special, generation),
    )
    added = [one for one in eos if one not in named]
    return facts, tuple(
        f"end token {one} of tokenizer_config.json added: the model's configuration has {named}" for one in added
    )


def _end_ids(settings: Config) -> list[int]:
    stated = settings.get("eos_token_id")
    return [end for end in (stated if isinstance(stated, list) else [stated]) if type(end) is int]


def number(config: Config, *keys: str, most: int = LARGEST) -> int:
    """The first of these settings that is there, as a positive whole number."""
    key = next((key for key in keys if config.get(key) is not None), keys[0])
    value = config.get(key)
    if type(value) is not int or not 0 < value <= most:
        shown = "missing" if value is None else f"{str(value)[:40]!r}, not a size"
        raise SourceError(f"config.json: {key} is {shown}", next="get the folder again, or correct config.json")
    return value


def _known_rope(config: Config) -> None:
    """Refuse a rotary embedding of a kind that has no formula here; what nobody knows would be passed over."""
    scaling = config.get("rope_scaling")
    if scaling is None:
        return
    kind = scaling.get("rope_type", scaling.get("type", "default")) if isinstance(scaling, dict) else scaling
    if not isinstance(scaling, dict):
        return
    if kind not in (*ROPE_TYPES, *OLD_ROPE_TYPES):
        known = ", ".join(ROPE_TYPES)
        instead = f"give a model of a kind that is known ({known}); to write another word there would change the model"
        raise SourceError(f"config.json: the rotary embedding {str(kind)[:40]!r} is not known", next=instead)
    missing = [key for key in ROPE_NEEDS.get(kind, ()) if scaling.get(key) is None]
    # How much longer texts may be than those of the training: it follows from the training's length, or is stated.
    if "long_factor" in ROPE_NEEDS.get(kind, ()) and not any(
        of.get(key) for of in (scaling, config) for key in ("factor", ORIGINAL)
    ):
        missing.append(ORIGINAL)
    if missing:
        raise SourceError(
            f"config.json: the rotary embedding {kind!r} has no {missing[0]}", next="get config.json again, whole"
        )


def sliding_window(config: Config, context: int) -> int | None:
    """The attention window in tokens, None where it is off or no narrower than the context."""
    window = config.get("sliding_window")
    # Qwen writes a window it does not use.
    used = config.get("use_sliding_window", not str(config.get("model_type", "")).startswith("qwen"))
    return window if used and type(window) is int and 0 < window < context else None


def turned(config: Config, head_size: int) -> int | None:
    """How many values of a head a partial rotary embedding turns; None where it turns all."""
    share = config.get("partial_rotary_factor") or config.get("rotary_pct") or 1.0
    return int(head_size * share) if isinstance(share, (int, float)) and 0 < share < 1 else None


def longrope(config: Config, context: int) -> int | None:
    """The length beyond which LongRoPE's long factors hold, of every position; None where it is not within reach."""
    scaling = config.get("rope_scaling")
    if not isinstance(scaling, dict) or scaling.get("rope_type", scaling.get("type")) not in ("longrope", "su"):
        return None
    stated = config.get(ORIGINAL) or scaling.get(ORIGINAL)
    return stated if type(stated) is int and 0 < stated < context else None


def _tied(config: Config, weights: dict[str, Weight]) -> bool:
    """Whether the output layer shares the embedding's weights; without weights of its own it must."""
    has_head = any(key.endswith("lm_head.weight") for key in weights)
    stated = config.get("tie_word_embeddings")
    if stated is False and not has_head and any(key.endswith("embed_tokens.weight") for key in weights):
        raise SourceError("config.json says lm_head has its own weights, but there are none", next=DISAGREE)
    return bool(stated) if stated is not None else not has_head


def _check_shapes(config: Config, facts: DecoderFacts, weights: dict[str, Weight]) -> None:
    """Every weight that the configuration implies is there and has the implied shape."""
    plain = config.get("model_type") in PLAIN
    expected = _layer_shapes(config, facts) if plain else {}
    layers: set[int] = set()
    for name, weight in weights.items():
        if name.endswith((".embed_tokens.weight", "lm_head.weight")) and "per_layer" not in name:
            _same(name, weight, (facts.vocab_size, facts.hidden_size))
        if found := LAYER.search(name):
            layers.add(int(found[1]))
            if found[2] in expected:
                _same(name, weight, expected[found[2]])
    if layers and sorted(layers) != list(range(facts.layers)):
        raise SourceError(f"config.json says {facts.layers} layers, the weights have {len(layers)}", next=DISAGREE)
    weight_names.check(config, facts.layers, weights)


def _layer_shapes(config: Config, facts: DecoderFacts) -> dict[str, tuple[int, int]]:
    hidden, inner = facts.hidden_size, number(config, "intermediate_size")
    queries = number(config, "num_attention_heads", "n_head") * facts.head_size
    keys = facts.kv_heads * facts.head_size
    return {
        "self_attn.q_proj.weight": (queries, hidden),
        "self_attn.k_proj.weight": (keys, hidden),
        "self_attn.v_proj.weight": (keys, hidden),
        "self_attn.qkv_proj.weight": (queries + 2 * keys, hidden),
        "self_attn.o_proj.weight": (hidden, queries),
        "mlp.gate_proj.weight": (inner, hidden),
        "mlp.up_proj.weight": (inner, hidden),
        "mlp.gate_up_proj.weight": (2 * inner, hidden),
        "mlp.down_proj.weight": (hidden, inner),
    }


def _same(name: str, weight: Weight, shape: tuple[int, int]) -> None:
    if weight.shape != shape:
        raise SourceError(f"config.json implies {list(shape)} for {name}, it is {list(weight.shape)}", next=DISAGREE)


class Tokens:
    """What the tokenizer's files say.

    Attributes:
        end: the id of the tokenizer's own end token, where it names one.
        has_chat_template: whether a chat template comes with it.
        ids: of the tokens of a tokenizer.json.
        special: those that engines leave out of a text.
        prefix: the ids before every plain text.

    Raises:
        SourceError: no tokenizer, a broken one, or ids beyond the model's `vocab` embeddings.
    """

    def __init__(self, folder: Path, vocab: int, config: Config) -> None:
        settings = optional_json(folder / "tokenizer_config.json")
        self.has_chat_template = templates.comes_with(folder, settings)
        self.end: int | None = None
        self.ids: dict[str, int] = {}
        self.special: frozenset[str] = frozenset()
        document: Config = {}
        if (folder / "tokenizer.json").is_file():
            document = read_json(folder / "tokenizer.json", TOKENIZER_LIMIT)
            ids = _token_ids(document)
            _check_merges(document["model"], ids)
            cut.check(settings, document)
            added = document.get("added_tokens") or []
            self.ids, self.special = ids, frozenset(token["content"] for token in added if token.get("special") is True)
            if ids and max(ids.values()) >= vocab:
                raise SourceError(
                    f"the tokenizer has ids up to {max(ids.values())}, the model only {vocab} embeddings",
                    next=DISAGREE,
                )
            end = settings.get("eos_token")
            self.end = ids.get(str(end.get("content") if isinstance(end, dict) else end))
        elif not any((folder / name).is_file() for name in ("tokenizer.model", "vocab.json")):
            raise SourceError(
                "the folder has no tokenizer (tokenizer.json)", next="copy the model's tokenizer files there"
            )
        try:
            self.prefix = prefix_ids(config, settings, document, self.ids)
        except (AttributeError, KeyError, TypeError):
            raise SourceError("tokenizer.json is broken: its post_processor is no template", next=AGAIN) from None
        if max(self.prefix, default=0) >= vocab:
            raise SourceError(f"the tokenizer begins a text with {list(self.prefix)}, beyond {vocab}", next=DISAGREE)

    @property
    def special_ids(self) -> frozenset[int]:
        """The ids of the special tokens."""
        return frozenset(self.ids[token] for token in self.special if token in self.ids)


def _token_ids(tokenizer: dict[str, Any]) -> dict[str, int]:
    """Token -> id of a tokenizer.json: BPE and WordPiece keep a table, Unigram a list of [token, score]."""
    model = tokenizer.get("model")
    vocab = model.get("vocab") if isinstance(model, dict) else None
    added = tokenizer.get("added_tokens") or []
    try:
        if isinstance(vocab, list):
            ids = {str(token): index for index, (token, _) in enumerate(vocab)}
        else:
            ids = dict(vocab)  # type: ignore[arg-type]
        ids |= {one["content"]: one["id"] for one in added}
        if ids and all(type(one) is int for one in ids.values()):
            return ids
    except (TypeError, ValueError, KeyError):
        pass
    raise SourceError("tokenizer.json is broken: it has no vocabulary", next=AGAIN)


def _check_merges(model: dict[str, Any], ids: dict[str, int]) -> None:
    """Every merge of a BPE joins two tokens to a third; the engines stop at one that does not, without a reason."""
    merges = model.get("merges")
    if model.get("type") != "BPE" or merges is None:
        return
    if not isinstance(merges, list):
        raise SourceError("tokenizer.json is broken: its merges are no list", next=AGAIN)
    affix = "".join(str(model.get(key) or "") for key in ("continuing_subword_prefix", "end_of_word_suffix"))
    for merge in merges:
        pair = merge.split(" ") if isinstance(merge, str) else merge
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(one, str) for one in pair):
            raise SourceError(f"tokenizer.json is broken: {str(merge)[:40]!r} is no merge of two tokens", next=AGAIN)
        if not affix and not (pair[0] in ids and pair[1] in ids and pair[0] + pair[1] in ids):
            raise SourceError(f"tokenizer.json is broken: the merge {pair!r} is not of its tokens"[:200], next=AGAIN)
