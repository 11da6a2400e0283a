"""A decoder whose tokenizer no engine reads is refused in plain words before anything is built."""

from __future__ import annotations

from typing import Any

import pytest

from edgekit.errors import SourceError
from edgekit.sources.facts import cut

pytestmark = pytest.mark.unit
TABLE = {"a": 0, "b": 1, "ab": 2}
BPE, UNIGRAM = {"type": "BPE", "vocab": TABLE, "merges": ["a b"]}, {"type": "Unigram", "vocab": [["a", 0.0]]}
PIECES = {"vocab": TABLE, "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100}
OLD = {"vocab": TABLE, "merges": []}  # files of the first releases say no type
# model, tokenizer_class -> words of the refusal, none where it is read
CASES: dict[str, tuple[dict[str, Any], str | None, tuple[str, ...]]] = {
    "words under a BPE's class": ({"type": "WordLevel", "vocab": TABLE}, "GPT2Tokenizer", ("WordLevel", "whole words")),
    "words of an old file": ({"vocab": TABLE, "unk_token": "a"}, None, ("WordLevel", "BPE and Unigram")),
    "pieces under their own class": ({"type": "WordPiece", **PIECES}, "BertTokenizer", ("WordPiece", "into pieces")),
    "pieces under a BPE's class": (PIECES, "PreTrainedTokenizerFast", ("WordPiece",)),
    "what comes next": (
        {"type": "Bytes", "vocab": TABLE},
        "LlamaTokenizer",
        ("a Bytes, which cuts in a way of its own",),
    ),
    "a Unigram under a BPE's class": (UNIGRAM, "LlamaTokenizerFast", ("calls it LlamaTokenizerFast", "T5Tokenizer")),
    "a Unigram without a class": (UNIGRAM, None, ("calls it nothing",)),
    "a BPE of a class unknown there": (BPE, "BloomTokenizerFast", ("BloomTokenizerFast, a class", "does not read")),
    "a Unigram": (UNIGRAM, "XLMRobertaTokenizerFast", ()),
    "a Unigram of an old file": ({"vocab": [["a", 0.0]]}, "T5Tokenizer", ()),
    "a BPE": (BPE, "Qwen2TokenizerFast", ()),
    "a BPE of an old file, without a class": (OLD, None, ()),
}


@pytest.mark.parametrize("case", CASES)
def test_what_the_engine_does_not_read_is_refused(case: str) -> None:
    model, named, words = CASES[case]
    settings = {"tokenizer_class": named} if named else {}
    if not words:
        cut.check(settings, {"model": model})
        return
    with pytest.raises(SourceError) as refused:
        cut.check(settings, {"model": model})
    assert refused.value.exit_code == 4 and all(word in str(refused.value) for word in words)
    assert ("tokenizer_class" in str(refused.value.next)) == (cut.kind_of(model) in cut.READS)


def test_a_class_of_the_folders_own_code_is_left_to_it() -> None:
    cut.check({"tokenizer_class": "OwnTokenizer", "auto_map": {"AutoTokenizer": ["own.OwnTokenizer"]}}, {"model": BPE})
