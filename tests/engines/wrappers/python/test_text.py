"""Streaming: whole characters, nothing lost after broken ones, nothing beyond a stop string."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.wrappers.python.bundle import open_bundle
from edgekit.wrappers.python.llm import LlmBundle
from edgekit.wrappers.python.text import UNFINISHED, whole_text
from tests.engines.wrappers.small_bundles import seal_llm
from tests.unit.wrappers.python.test_text import genai_decode, marks_merged

pytestmark = pytest.mark.runtimes


def test_the_engine_decodes_as_these_tests_say(llm_bundle: Path) -> None:
    """The model of small_models.py has the 256 bytes as its first tokens."""
    bundle = open_bundle(llm_bundle)
    assert isinstance(bundle, LlmBundle)
    for raw in (b"abc", "é語😀".encode(), b"a\xffb", b"\xe8\xaaz", b"\xc3", "\ufffdx".encode()):
        assert bundle._engine_decode(list(raw)) == genai_decode(list(raw))
        assert marks_merged(bundle.decode(list(raw))) == marks_merged(raw.decode(errors="replace"))
        assert whole_text(genai_decode, list(raw)) == bundle.decode(list(raw))


def test_a_generation_passes_on_the_letters_before_a_cut(tmp_path: Path) -> None:
    """Greedy answers of a random model are full of broken bytes: streamed they are what decoding them whole gives."""
    bundle = open_bundle(seal_llm(tmp_path))
    assert isinstance(bundle, LlmBundle)
    for prompt in ("the", "in an", "er", "é"):
        answer = bundle.generate(prompt, max_tokens=40)
        said = "".join(answer)
        assert said == bundle.decode([one for one in answer.tokens if one not in bundle.eos_token_ids]).removesuffix(
            UNFINISHED
        )
