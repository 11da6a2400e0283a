"""The engine itself reads the tokenizers that are taken, as `tokenizers` cuts them, and none that are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import SourceError
from edgekit.sources.facts import cut
from tests.engines.wrappers import small_models

pytestmark = pytest.mark.runtimes
SPECIAL = ["<unk>", "<s>", "</s>"]
TEXT = "the cat sat on the mat and the cat"
OTHERS = ("Bert", "Bloom", "Cohere", "Phi")  # no class of the engine's


def trained(kind: str) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    made = Tokenizer(getattr(models, kind)())
    if kind == "BPE":
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        letters = pre_tokenizers.ByteLevel.alphabet()
        trainer: Any = trainers.BpeTrainer(vocab_size=320, special_tokens=SPECIAL, initial_alphabet=letters)
    else:
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(vocab_size=320, special_tokens=SPECIAL, unk_token=SPECIAL[0])
    made.train_from_iterator([TEXT] * 9, trainer)
    return made


@pytest.mark.parametrize("kind", cut.READS)
def test_what_is_taken_is_what_the_engine_reads(kind: str, tmp_path: Path) -> None:
    """Not of WordPiece and WordLevel: at some of the classes the engine ends the whole process."""
    import onnxruntime_genai as genai

    small_models.write_llm(tmp_path)
    made = trained(kind)
    made.save(str(tmp_path / "tokenizer.json"))
    document = json.loads(made.to_str())
    for short in (*cut.BPE, *OTHERS):
        settings = {"tokenizer_class": f"{short}Tokenizer", "unk_token": SPECIAL[0], "eos_token": SPECIAL[2]}
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
        try:
            cut.check(settings, document)
            taken = True
        except SourceError:
            taken = False
        try:
            reader = genai.Tokenizer(genai.Model(str(tmp_path)))
            read = True
        except RuntimeError:
            read = False
        assert read or not taken, (kind, short)
        if taken and short != "CLIP":  # whose words end with a mark of their own: a wrong class is the gate's to see
            assert [int(token) for token in reader.encode(TEXT)] == made.encode(TEXT, add_special_tokens=False).ids
        if read and not taken:
            assert short == "ChatGLM" and kind == "Unigram"  # opened, and every text is cut otherwise
