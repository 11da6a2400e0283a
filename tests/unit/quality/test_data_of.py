"""The user's calibration data of a language model: text, which its calibrated recipes read and the gate does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit import build, sources, target
from edgekit.build import Options
from edgekit.errors import SourceError, UsageError
from edgekit.inputs import asked
from edgekit.inputs.calibration import Calibration, open_calibration
from edgekit.inputs.llm_texts import TextCalibration
from edgekit.quality._inputs import data_of
from edgekit.quality._reference import shipped_text
from edgekit.sources.source import Source
from tests.unit.sources import tiny_models

pytestmark = pytest.mark.unit
PAGE = "\n\n".join(f"Paragraph {at} says what no other says. " * 8 + "So it is." for at in range(60))


def texts(folder: Path, suffix: str = ".md") -> Path:
    folder.mkdir()
    (folder / f"mine{suffix}").write_text(PAGE, encoding="utf-8")
    return folder


@pytest.fixture
def llama(tmp_path: Path) -> Source:
    return sources.open_source(str(tiny_models.save_llama(tmp_path / "llama")))


def reasons(source: Source, recipe: str, data: Calibration | None) -> list[str]:
    made = build.planned(source, target.load("linux-cpu"), data, Options(out=Path("out"), recipe=recipe))
    assert made.calibrated == (recipe == "int4_gptq")
    return [step.reason for step in made.steps if step.stage == "optimize"]


def test_text_is_what_a_language_model_is_calibrated_with(llama: Source, tmp_path: Path) -> None:
    data = data_of(texts(tmp_path / "texts"), llama, None, None)
    assert isinstance(data, TextCalibration)
    assert "\n\n".join(data.documents) == PAGE
    out = tmp_path / "out"
    out.mkdir()
    data.write_feeds(out)
    assert [path.read_text() for path in sorted(out.iterdir())] == list(data.documents)
    unused = "it reads no calibration text"
    assert [unused in reason for reason in reasons(llama, "int4_gptq", data)] == [False]
    assert [unused in reason for reason in reasons(llama, "int4_rtn", data)] == [True]
    assert [unused in reason for reason in reasons(llama, "int4_rtn", None)] == [False]


def test_what_the_gate_judges_by_calibrates_nothing(llama: Source, tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text(f"{PAGE}\n\n{shipped_text()[0]}", encoding="utf-8")
    data = data_of(mine, llama, None, None)
    assert isinstance(data, TextCalibration)
    paragraphs = [part for part in shipped_text()[0].split("\n\n") if part.strip()]
    assert data.dropped == data.facts()["dropped"] == len(paragraphs)
    with pytest.raises(UsageError, match="that the gate judges by"):
        data_of(mine, llama, None, mine)


def test_a_text_is_looked_at_before_the_model(tmp_path: Path) -> None:
    folder = texts(tmp_path / "texts")
    asked.check(folder, None, None)
    asked.check(folder / "mine.md", None, None)
    (folder / "a.png").write_bytes(b"")
    with pytest.raises(SourceError, match=r"mixes|usable"):
        (folder / "b.wav").write_bytes(b"")
        asked.check(folder, None, None)
    with pytest.raises(UsageError, match="no calibration folder"):
        asked.check(tmp_path / "missing.txt", None, None)


def test_the_gate_of_a_language_model_takes_text(llama: Source, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="language models are not judged by calibration data") as refused:
        open_calibration(texts(tmp_path / "texts"), llama.model, None, llama.path)
    assert "--text FILE" in str(refused.value.next)
