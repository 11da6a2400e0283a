"""A tokenizer of eight words, as sentence-transformers ships one."""

from __future__ import annotations

import json
from pathlib import Path

WORDS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "the", "sea", "is", "wide"]


def save(folder: Path) -> Path:
    """model/tokenizer.json: word by word with BERT's [CLS] and [SEP], and padding switched on."""
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    special = [{"id": at, "content": word, **plain, "special": True} for at, word in enumerate(WORDS[:4])]
    made = {
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 128, "strategy": "LongestFirst", "stride": 0},
        "padding": {
            "strategy": {"Fixed": 128}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0,
            "pad_token": "[PAD]",
        },
        "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {
            "type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1],
        },
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": {word: at for at, word in enumerate(WORDS)}, "unk_token": "[UNK]"},
    }  # fmt: skip
    (folder / "model").mkdir()
    (folder / "model" / "tokenizer.json").write_text(json.dumps(made))
    return folder
