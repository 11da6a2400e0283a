"""Where in the context a model is compared, and of what text its windows are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgekit.jobs import reference as job
from edgekit.quality import _reference
from edgekit.quality._reference import Deep
from tests.unit.quality.test_llm_limits import context

pytestmark = pytest.mark.unit


def places(tmp_path: Path, longest: int, *, window: int | None = None, switch: int | None = None) -> list[Deep]:
    ctx = context()
    facts = ctx.source.model.llm
    assert facts is not None
    model = ctx.source.model.model_copy(
        update={"llm": facts.model_copy(update={"context_length": longest, "sliding_window": window})}
    )
    scaling = {"rope_type": "longrope"} if switch else None
    config = {"rope_scaling": scaling, "original_max_position_embeddings": switch}
    (tmp_path / "config.json").write_text(json.dumps(config))
    contract = ctx.contract.model_copy(update={"max_length": longest})
    return _reference.deep(replace(ctx, source=replace(ctx.source, model=model, path=tmp_path), contract=contract))


def test_half_the_context_is_always_looked_at(tmp_path: Path) -> None:
    assert places(tmp_path, 4096) == [Deep("half_context", 2031, 2159)]


def test_both_sides_of_a_sliding_window(tmp_path: Path) -> None:
    assert places(tmp_path, 4096, window=2047)[1] == Deep("sliding_window", 2031, 2159)


def test_only_what_is_behind_a_longrope_border(tmp_path: Path) -> None:
    """Before it the source computes with other factors, of a text that grows beyond it later."""
    assert places(tmp_path, 16384, switch=4096)[-1] == Deep("longrope", 4096, 4224)


def test_a_place_astride_the_border_is_moved_behind_it(tmp_path: Path) -> None:
    assert places(tmp_path, 8200, switch=4096)[0] == Deep("half_context", 4096, 4224)


def test_a_border_beyond_the_bundle_is_said(tmp_path: Path) -> None:
    [_, border] = places(tmp_path, 4096, switch=4096)
    assert border.end == 0 and "4096 tokens" in border.why


def test_a_short_context_is_not_left(tmp_path: Path) -> None:
    ends = [place.end for place in places(tmp_path, 128, window=64)]
    assert ends and max(ends) <= 127


class Letters:
    """A tokenizer of one token a letter, as the job calls one."""

    def __call__(self, text: str) -> dict[str, list[int]]:
        return {"input_ids": [ord(letter) for letter in text]}


def windows(tmp_path: Path, **changes: Any) -> list[dict[str, Any]]:
    (tmp_path / "chat.json").write_text(json.dumps({"prompts": [[1, 2], [3]], "answers": [[4, 5, 6], [7] * 50]}))
    request = {
        "chat": str(tmp_path / "chat.json"),
        "documents": ["a" * 100, "b" * 40],
        "window": 32,
        "text_tokens": 1000,
        "chat_tokens": 10,
        "deep": [],
    }
    return job._windows(Letters(), request | changes)


def test_chat_counts_from_the_last_token_of_the_prompt(tmp_path: Path) -> None:
    chat = [one for one in windows(tmp_path) if one["kind"] == "chat"]
    assert (chat[0]["ids"], chat[0]["start"]) == ([1, 2, 4, 5, 6], 1)
    assert job._predictions(chat[0]) == 3


def test_every_document_begins_before_any_goes_on_and_keeps_its_number(tmp_path: Path) -> None:
    text = [one for one in windows(tmp_path) if one["kind"] == "text"]
    assert [one["document"] for one in text] == [0, 1, 0, 1, 0]
    assert {chr(one["ids"][0]) for one in text if one["document"] == 1} == {"b"}


def test_a_deep_window_is_filled_by_the_documents_again_and_again(tmp_path: Path) -> None:
    deep = [{"name": "half_context", "start": 300, "end": 400}]
    [window] = [one for one in windows(tmp_path, deep=deep) if one["kind"] == "half_context"]
    assert (len(window["ids"]), window["start"], job._predictions(window)) == (401, 300, 100)
    assert window["ids"][140:240] == [ord("a")] * 100
