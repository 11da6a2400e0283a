"""The rows of table.py for language models, on SmolLM2 in float32 (nightly).

The same faults on a random model of a megabyte are of CI: tests/olive/test_llm_gates.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit import sources
from edgekit.sources import Source
from tests.bench import language, table

pytestmark = pytest.mark.nightly


@pytest.fixture(scope="module")
def chat() -> Source:
    return sources.open_source(table.KINDS[language.CHAT])


@pytest.fixture(scope="module")
def models(chat: Source, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    return {language.CHAT: chat, language.BASE: language.base(chat, tmp_path_factory.mktemp("base") / "smollm2-base")}


@pytest.fixture(scope="module")
def built(chat: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return language.float_graph(chat, tmp_path_factory.mktemp("built"))


@pytest.mark.parametrize(("kind", "fault"), [row for row in table.FIRST if row[0] in table.LANGUAGE])
def test_each_fault_fails_by_its_own_metric(
    kind: str, fault: str, models: dict[str, Source], built: Path, tmp_path: Path
) -> None:
    wanted = table.FIRST[kind, fault]
    verdict = language.judged(kind, models[kind], built, fault, tmp_path)
    assert (verdict.verdict, table.first(verdict)) == ("fail", wanted), verdict.verdicts


@pytest.mark.parametrize("kind", table.LANGUAGE)
def test_a_good_bundle_has_a_fifth_to_spare(kind: str, models: dict[str, Source], built: Path, tmp_path: Path) -> None:
    verdict = language.judged(kind, models[kind], built, "good", tmp_path)
    assert verdict.verdict == "pass", verdict.verdicts
    left = {row.metric: table.spare(row, verdict) for row in verdict.verdicts}
    assert min(left.values()) >= table.FIFTH, left
