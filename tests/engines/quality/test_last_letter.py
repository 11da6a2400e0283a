"""GenAI 0.14.1 drops a text's last letter where the one before it begins an added token: the gate names that cause."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from edgekit.quality import GateContext, tokenizer
from tests.engines.wrappers.small_models import write_llm

pytestmark = pytest.mark.runtimes
TEXTS = ["a b", "the 7", "a   b", "and the café", "ab c"]
RUN = "   "  # as vocabularies of SentencePiece and of Phi have them


def test_the_lost_letter_has_a_name(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    built = tmp_path / "model"
    write_llm(built)
    document = json.loads((built / "tokenizer.json").read_text(encoding="utf-8"))
    document["added_tokens"][0] |= {"content": RUN, "special": False}
    (built / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    expected = [Tokenizer.from_file(str(built / "tokenizer.json")).encode(text).ids for text in TEXTS]
    ctx = context(built, built, None)
    ids = tokenizer.runtime_ids(ctx, TEXTS, plain=len(TEXTS))
    wrong = [at for at, these in enumerate(ids) if these != expected[at]]
    assert [TEXTS[at] for at in wrong] == ["a b", "the 7", "ab c"]
    causes: list[str | None] = [None] * len(TEXTS)
    tokenizer._by_loss(ctx, TEXTS, ids, wrong, causes)
    assert causes == [tokenizer.LOST if at in wrong else None for at in range(len(TEXTS))]
    other = [[0], *ids[1:]]  # what is no loss has no name
    tokenizer._by_loss(ctx, TEXTS, other, [0], causes)
    assert causes[0] is None
