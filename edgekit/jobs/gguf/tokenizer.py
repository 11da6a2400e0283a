"""Rebuild a Hugging Face tokenizer from a GGUF's own vocabulary, that splits text as llama.cpp does.

What transformers writes for a GGUF lacks the file's pre-tokenizer, and its tokenizer.model is the whole GGUF.
Here every part comes from the file. The constructs are those that the device's runtime (onnxruntime-genai
with onnxruntime-extensions) really executes, found by experiment on 0.14.1 with tests/data/tokenizer:
  - it obeys `Split` steps of a `Sequence`, but ignores `Digits` and the regex inside `ByteLevel`;
  - it knows a fixed list of regex alternatives by their exact text and hands anything else to std::regex,
    which crashes on long texts: so only patterns of that list appear below;
  - it ignores a normalizer of the kind NFC (Qwen's), as llama.cpp does: none is written;
  - merges must be pairs: it loops for ever on a merge written as one string that starts with "#".
Witnesses are llama.cpp itself, SentencePiece and the families' own tokenizer.json (tests/engines/sources/
test_gguf_witnesses.py): all texts are cut alike, but for Qwen's that are not in NFC, and those that a runtime of
SentencePiece cuts otherwise than llama.cpp does (a space before what follows a user-defined piece).
Sources: llama.cpp src/llama-vocab.cpp (pre-tokenizers, special tokens, end of generation), transformers
convert_slow_tokenizer.py (LlamaConverter) for SentencePiece vocabularies.
"""

from __future__ import annotations

from typing import Any

from edgekit.errors import SourceError
from edgekit.jobs.gguf.file import DAMAGED, Gguf

Json = dict[str, Any]

MAX_TOKEN = 1024  # characters; how a piece may be cut is tried at each of them
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6  # tokenizer.ggml.token_type; 5 is unused

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = _WORDS + r"\p{N}{1,3}" + _REST
QWEN2 = _WORDS + r"\p{N}" + _REST
# The models' own regex; llama.cpp approximates it and differs on combining marks (Thai, Devanagari).
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_BEFORE, _AFTER = r"[^\r\n\p{L}\p{N}]?", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
_CASED = _BEFORE + _UPPER + "*" + _LOWER + "+" + _AFTER + _BEFORE + _UPPER + "+" + _LOWER + "*" + _AFTER
O200K = _CASED + r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"

# tokenizer.ggml.pre -> the regexes that cut the text, one after the other.
PRE_TOKENIZERS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("gpt-2", "phi-2", "olmo"), (GPT2,)),
    **dict.fromkeys(("smollm", "starcoder", "refact", "command-r", "codeshell"), (r"\p{N}", GPT2)),
    **dict.fromkeys(("llama-bpe", "llama3", "llama-v3", "falcon3", "dbrx", "smaug-bpe"), (LLAMA3,)),
    **dict.fromkeys(("qwen2", "deepseek-r1-qwen", "stablelm2", "megrez"), (QWEN2,)),
    "gpt-4o": (O200K,),
}
# Those that look a whole word up before they try merges, and that start with BOS unless told not to.
IGNORE_MERGES = ADD_BOS = frozenset(("llama-bpe", "llama3", "llama-v3", "falcon3"))

# Texts that end an answer, whatever the file declares as EOS (from llama.cpp's list).
END_TEXTS = frozenset(
    (
        *("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|end|>"),
        *("<end_of_turn>", "</s>", "<EOT>"),
    )
)


def end_ids(file: Gguf) -> list[int]:
    """Token ids that end an answer: the file's EOS first, then EOT and the known end-of-turn texts."""
    ids = [file.integer("tokenizer.ggml.eos_token_id", -1), file.integer("tokenizer.ggml.eot_token_id", -1)]
    tokens, types = _tokens(file), _types(file)
    ids += [i for i, text in enumerate(tokens) if text in END_TEXTS and types[i] in (CONTROL, USER_DEFINED)]
    return [i for i in dict.fromkeys(ids) if 0 <= i < len(tokens)]


def special_id(file: Gguf, name: str) -> int | None:
    """The id of "bos", "eos", "unknown" or "padding", or None."""
    value = file.metadata.get(f"tokenizer.ggml.{name}_token_id")
    return value if isinstance(value, int) and 0 <= value < len(_tokens(file)) else None


def build(file: Gguf, model_max_length: int) -> dict[str, Json]:
    """The tokenizer's files, by name: tokenizer.json, tokenizer_config.json, special_tokens_map.json.

    Raises:
        SourceError: a vocabulary or a pre-tokenizer that is not known to come out right, or a damaged one.
    """
    kind = file.text("tokenizer.ggml.model", "none")
    if kind == "gpt2":
        parts = _byte_level(file)
    elif kind == "llama":
        parts = _sentencepiece(file)
    else:
        raise SourceError(
            f"{file.path.name}: the tokenizer type {kind[:40]!r} is not supported, only 'gpt2' and 'llama' are",
            next="use the model's Hugging Face checkpoint as source instead",
        )
    special = _named(file)
    document = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": _added_tokens(file),
        "post_processor": _post_processor(file),
        **parts,
    }
    config = _config(file, special, model_max_length)
    return {
        "tokenizer.json": document,
        "tokenizer_config.json": config,
        "special_tokens_map.json": dict(special),
    }


def _named(file: Gguf) -> dict[str, str]:
    """The special tokens by transformers' names for them, which cuts each out of every text.

    So none is named that is a plain piece ("!" is token 0 of many vocabularies, which files name for padding), unless
    it begins texts or ends them.
    """
    tokens, types = _tokens(file), _types(file)
    named = {
        "bos_token": special_id(file, "bos"),
        "eos_token": special_id(file, "eos"),
        "unk_token": special_id(file, "unknown"),
        "pad_token": special_id(file, "padding"),
    }
    begins = _adds(file, "bos") or "bos_token" in file.text("tokenizer.chat_template", "")
    used = {"eos_token", *(["bos_token"] if begins else [])}
    return {
        name: tokens[i]
        for name, i in named.items()
        if i is not None and (name in used or types[i] not in (NORMAL, BYTE))
    }


def _config(file: Gguf, special: dict[str, str], model_max_length: int) -> Json:
    config: Json = {
        # The plain class obeys tokenizer.json; GPT2Tokenizer and LlamaTokenizer patch it on loading.
        "tokenizer_class": "PreTrainedTokenizerFast",
        **special,
        "add_bos_token": _adds(file, "bos"),
        "add_eos_token": _adds(file, "eos"),
        "clean_up_tokenization_spaces": False,
        "model_max_length": model_max_length,
        "model_input_names": ["input_ids", "attention_mask"],
    }
    template = file.text("tokenizer.chat_template", "")
    if template:
        config["chat_template"] = _with_begin(file, template)
    return config


def _with_begin(file: Gguf, template: str) -> str:
    """A chat template that begins with BOS where the file has it added: llama.cpp adds it to conversations too, once.

    transformers, and the runtimes with it, add nothing to what a template wrote.
    """
    begin = special_id(file, "bos")
    writes = begin is not None and ("bos_token" in template or _tokens(file)[begin] in template)
    return template if writes or not _adds(file, "bos") else "{{ bos_token }}" + template


def _tokens(file: Gguf) -> list[str]:
    # llama.cpp names empty tokens the same way; an empty string would be a token that matches everywhere.
    return [text or f"[EMPTY_{i}]" for i, text in enumerate(file.strings("tokenizer.ggml.tokens"))]


def _types(file: Gguf) -> list[int]:
    types = file.integers("tokenizer.ggml.token_type")
    return types or [NORMAL] * len(_tokens(file))


def _adds(file: Gguf, which: str) -> bool:
    """Whether `which` ("bos", "eos") is put around a text; llama.cpp's defaults where the file is silent."""
    spm = file.text("tokenizer.ggml.model", "none") == "llama"
    default = which == "bos" and (spm or file.text("tokenizer.ggml.pre", "") in ADD_BOS)
    return file.flag(f"tokenizer.ggml.add_{which}_token", default) and special_id(file, which) is not None


def _vocab(file: Gguf) -> dict[str, int]:
    tokens = _tokens(file)
    if (long := max(map(len, tokens), default=0)) > MAX_TOKEN:
        raise file.bad(f"it has a token of {long} characters")
    vocab = {text: i for i, text in enumerate(tokens)}
    if len(vocab) != len(tokens) or len(_types(file)) != len(tokens) or not tokens:
        raise file.bad(f"the vocabulary has {len(tokens)} tokens, {len(vocab)} different, {len(_types(file))} typed")
    return vocab


def _added_tokens(file: Gguf) -> list[Json]:
    """Tokens that are found in the text before anything else: control, unknown and user-defined ones."""
    # llama.cpp lets Phi-3's control tokens swallow the white space after them, as Phi-3's own tokenizer does.
    name = str(file.metadata.get("general.name", "")).lower()
    strips = "phi-3" in name or "phi3" in name
    added = []
    for i, (text, kind) in enumerate(zip(_tokens(file), _types(file), strict=True)):
        if kind in (UNKNOWN, CONTROL, USER_DEFINED) or text in END_TEXTS:
            added.append(
                {
                    "id": i,
                    "content": text,
                    "single_word": False,
                    "lstrip": False,
                    "rstrip": strips and text not in ("<unk>", "<s>", "<|endoftext|>"),
                    "normalized": False,
                    "special": kind != USER_DEFINED or text in END_TEXTS,
                }
            )
    return added


def _post_processor(file: Gguf) -> Json | None:
    tokens = _tokens(file)
    around = {which: special_id(file, which) for which in ("bos", "eos") if _adds(file, which)}
    if not around:
        return None
    pieces = {which: {"SpecialToken": {"id": tokens[i], "type_id": 0}} for which, i in around.items() if i is not None}
    start, end = [pieces[w] for w in ("bos",) if w in pieces], [pieces[w] for w in ("eos",) if w in pieces]
    first, second = ({"Sequence": {"id": name, "type_id": n}} for n, name in enumerate("AB"))
    return {
        "type": "TemplateProcessing",
        "single": [*start, first, *end],
        "pair": [*start, first, *end, *start, second, *end],
        "special_tokens": {
            tokens[i]: {"id": tokens[i], "ids": [i], "tokens": [tokens[i]]} for i in around.values() if i is not None
        },
    }


def _model(vocab: dict[str, int], merges: list[list[str]], **settings: object) -> Json:
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        **settings,
        "vocab": vocab,
        "merges": merges,
    }


def _byte_level(file: Gguf) -> Json:
    """A byte-level BPE vocabulary ("gpt2"): merges and pre-tokenizer as the file has them."""
    pre = file.text("tokenizer.ggml.pre", "")
    if pre not in PRE_TOKENIZERS:
        raise SourceError(
            f"{file.path.name}: the pre-tokenizer {pre[:40] or 'of an old file (none named)'!r} is not supported",
            next="use the model's Hugging Face checkpoint as source; known here: " + ", ".join(sorted(PRE_TOKENIZERS)),
        )
    vocab = _vocab(file)
    merges = [_pair(text) for text in file.strings("tokenizer.ggml.merges")]
    for left, right in merges:
        if left not in vocab or right not in vocab or left + right not in vocab:
            raise file.bad(f"the merge {left[:40]!r} + {right[:40]!r} is not in the vocabulary")
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    splits = [
        {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
        for regex in PRE_TOKENIZERS[pre]
    ]
    return {
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [*splits, byte_level]},
        "decoder": {**byte_level, "use_regex": True},
        "model": _model(vocab, merges, ignore_merges=pre in IGNORE_MERGES),
    }


def _pair(text: str) -> list[str]:
    left, _, right = text[1:].partition(" ")  # from the second letter on: a token may begin with a space
    return [text[:1] + left, right]


def _sentencepiece(file: Gguf) -> Json:
    """A SentencePiece vocabulary ("llama") as BPE with byte fallback: scores become the order of merges."""
    vocab = _vocab(file)
    if len(file.floats("tokenizer.ggml.scores")) != len(vocab):
        raise SourceError(f"{file.path.name}: the SentencePiece vocabulary has no scores", next=DAMAGED)
    unknown = special_id(file, "unknown")
    unk_token = None if unknown is None else _tokens(file)[unknown]
    return {
        **_spaces(file.flag("tokenizer.ggml.add_space_prefix", True)),
        "model": _model(vocab, _merges(file, list(vocab)), byte_fallback=True, fuse_unk=True, unk_token=unk_token),
    }


def _spaces(prefix: bool) -> Json:
    """How spaces are written in tokens: Llama puts one before the text, Gemma does not and cuts after each."""
    escape = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    unescape = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
    decoders: list[Json] = [unescape, {"type": "ByteFallback"}, {"type": "Fuse"}]
    if not prefix:
        cut = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
        return {
            "normalizer": escape,
            "pre_tokenizer": cut,
            "decoder": {"type": "Sequence", "decoders": decoders},
        }
    return {
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, escape]},
        "pre_tokenizer": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [*decoders, {"type": "Strip", "content": " ", "start": 1, "stop": 0}],
        },
    }


def _merges(file: Gguf, pieces: list[str]) -> list[list[str]]:
    """Every pair of pieces that makes a piece, best score first, of equal scores the one with the longest left part.

    Of equal scores the leftmost pair of a text merges first. Runs of spaces have them (-1e9 in Llama 2 and Mistral):
    there the longest left part is the one that lies leftmost.

    User-defined pieces are in none: they are cut out of the text before, whatever their score (-1000 for what a
    checkpoint added to its vocabulary, runs of spaces among it).
    """
    scores, types = file.floats("tokenizer.ggml.scores"), _types(file)
    ids = {text: i for i, text in enumerate(pieces) if types[i] == NORMAL}
    pairs = []
    for text, i in ids.items():
        for cut in range(1, len(text)):
            left, right = ids.get(text[:cut]), ids.get(text[cut:])
            if left is not None and right is not None:
                order = (-scores[i], -cut, cut - len(text), left, right)
                pairs.append((order, [text[:cut], text[cut:]]))
    return [pair for _, pair in sorted(pairs)]
