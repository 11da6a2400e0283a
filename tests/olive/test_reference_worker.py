"""What a gate asks of the float source is forked from one process that has loaded the libraries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit import tools, warm
from edgekit.quality import _reference
from tests.olive import tiny_llm

pytestmark = pytest.mark.olive
ASKED = {"action": "logits", "window": 32, "text_tokens": 64, "chat_tokens": 0, "trust_remote_code": False, "deep": []}


def test_one_process_loads_the_libraries_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker is gone behind the gate; without it the next starts its own, and says the same."""
    source = tiny_llm.llama(tmp_path / "source")
    (tmp_path / "chat.json").write_text(json.dumps({"prompts": [], "answers": []}), encoding="utf-8")
    started = []
    launch = tools.launch

    def counted(*words: Any, **options: Any) -> Any:
        process = launch(*words, **options)
        started.append(process)
        return process

    monkeypatch.setattr(tools, "launch", counted)
    request = ASKED | {"source": str(source), "chat": str(tmp_path / "chat.json")}

    def said(name: str, texts: list[str]) -> bytes:
        folder = tmp_path / name
        folder.mkdir()
        _reference._make(request | {"documents": texts}, folder)
        return (folder / "nll.npy").read_bytes()

    texts = [text[:400] for text in _reference.shipped_text()[:3]]
    with warm.kept(), warm.kept():
        forked = [said("first", texts), said("second", texts[1:])]
    assert len(started) == 1 and started[0].poll() is not None
    assert said("third", texts[1:]) == forked[1] != forked[0] and len(started) == 2
