"""Answers to many prompts at once by a plain session: token by token what the engine says to each alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.contract import genai_config
from edgekit.quality import _batch, _child_llm
from edgekit.quality._session import Session
from tests.olive import tiny_llm
from tests.olive.test_llm_gates import build

pytestmark = pytest.mark.olive
NEW_TOKENS = 24


@pytest.fixture(scope="module")
def request_of(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """24 prompts of many lengths to a random model, one of whose commoner tokens ends an answer."""
    folder = tmp_path_factory.mktemp("built")
    model = build(tiny_llm.llama(folder / "source"), folder) / "model"
    random = np.random.default_rng(5)
    prompts = [random.integers(3, 300, length).tolist() for length in random.integers(1, 60, 24)]
    prompts[7:] = [[*prompts[0][:9], *prompt[9:], 5] for prompt in prompts[7:]]  # a batch of its own, and more of them
    request = {"model": str(model), "prompts": prompts, "new_tokens": NEW_TOKENS}
    common = Counter(token for ids in spoken(request) for token in ids[3:]).most_common(1)[0][0]
    config = genai_config.read(model)
    ending = config.replace(model=config.model.replace(eos_token_id=(common,)))
    (model / genai_config.NAME).write_text(genai_config.text(ending), encoding="utf-8")
    return request


def spoken(request: dict[str, Any]) -> list[list[int]]:
    """By the engine, one prompt after the other."""
    model = _child_llm._opened(request)
    return [_child_llm._answer(model, prompt, 1, request) for prompt in request["prompts"]]


def silent(kind: str, **fields: Any) -> None:
    """Nobody listens."""


def test_every_token_is_the_engines(request_of: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """In batches of a few rows, whose prompts begin alike or not; rows end one after the other."""
    monkeypatch.setattr(_batch, "CACHE_BYTES", 7 * 2 * 2 * 2 * 16 * 4 * (60 + NEW_TOKENS))
    folder = Path(request_of["model"])
    ends = genai_config.read(folder).model.ends
    engine = spoken(request_of)
    lengths = {len(ids) for ids in engine}
    assert len(lengths) > 4 and max(lengths) == NEW_TOKENS
    assert list(_batch.answers(Session(folder), request_of["prompts"], ends, NEW_TOKENS)) == engine


def test_the_engine_answers_the_shortest_and_the_longest_too(request_of: dict[str, Any]) -> None:
    told = _child_llm.answers(request_of, silent)
    assert (told["answers"], told["spoken"]) == (spoken(request_of), _child_llm.WITNESSES)


@pytest.mark.parametrize("how", ["another token", "another end", "refused"])
def test_the_engine_answers_everything_where_the_session_says_otherwise(
    how: str, request_of: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = _batch.answers

    def wrong(session: Session, prompts: list[list[int]], ends: Any, most: int) -> list[list[int]]:
        if how == "refused":
            raise RuntimeError("no such input")
        more = {ids[1] for ids in spoken(request_of)} if how == "another end" else set()
        said = list(right(session, prompts, (*ends, *more), most))
        return [[*ids[:-1], ids[-1] ^ 1] if ids and how == "another token" else ids for ids in said]

    monkeypatch.setattr(_batch, "answers", wrong)
    told = _child_llm.answers(request_of, silent)
    assert (told["answers"], told["spoken"]) == (spoken(request_of), len(request_of["prompts"]))
