"""A recognizer of speech with faults that only transcripts show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit import quality, target
from edgekit.contract.manifest import Quality
from edgekit.inputs.calibration import Calibration, open_calibration
from edgekit.kinds.tensor import TensorContract
from edgekit.quality import GateContext
from edgekit.quality._inputs import truth_of
from edgekit.sources import open_source
from edgekit.sources.source import Source
from tests.bench import faults, table
from tests.e2e.command import edgekit, said
from tests.olive import spoken

pytestmark = [pytest.mark.olive, pytest.mark.nightly]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return spoken.recordings(tmp_path_factory.mktemp("speech") / "heard", 36)


def build(card: Path, folder: Path, tmp_path: Path) -> tuple[str | Path, ...]:
    """The command that builds a card as it is, with the recordings of a folder."""
    words = ("--target", "linux-cpu", "--recipe", "keep", "--calibration", folder, "-o", tmp_path / "out")
    return "build", card, *words


def test_a_wrong_rate_is_told_with_the_right_one(folder: Path, tmp_path: Path) -> None:
    slow = spoken.card(tmp_path, spoken.net(tmp_path / "slow.onnx"), spoken.SPEC.replace("=8000", "=16000"))
    refused, heard = said(*build(slow, folder, tmp_path), codes=(11,))
    assert "sample_rate=8000" in refused["error"]["message"] and "the float source is" in heard


def test_another_alphabet_is_no_better_than_chance(folder: Path, tmp_path: Path) -> None:
    letters = (*spoken.LETTERS[:2], *reversed(spoken.LETTERS[2:]))
    other = spoken.card(tmp_path, spoken.net(tmp_path / "other.onnx"), letters=letters)
    assert "no better than chance" in edgekit(*build(other, folder, tmp_path), code=11)["error"]["message"]


def judged(source: Source, data: Calibration, built: Path) -> Quality:
    """What the gate says of a built model, by int8's limits."""
    (built.parent / "labels.txt").write_text(source.labels)
    ends = {"inputs": source.model.inputs, "outputs": source.model.outputs}
    return quality.gate(
        GateContext(
            source=source,
            staged=built.parent,
            model_path=built.name,
            contract=TensorContract(**ends, decode=source.decode, labels="labels.txt"),
            target=target.load("linux-cpu"),
            precision="int8",
            work=built.parent / "gate",
            card=source.card,
            feeds=list(data.evaluate),
            truth=truth_of(source, data),
        )
    )


def in_int8(path: Path, data: Calibration, built: Path) -> Path:
    """Every convolution in int8, the Fourier transform and the mel bands too, as ONNX Runtime alone does it."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        feeds = iter(data.calibrate)

        def get_next(self) -> Any:
            return next(self.feeds, None)

    quantize_static(path, built, Reader(), quant_format=QuantFormat.QDQ, per_channel=True)
    return built


def test_few_bits_are_refused_for_what_is_misheard_and_twelve_are_not(folder: Path, tmp_path: Path) -> None:
    source = open_source(str(spoken.card(tmp_path, spoken.net(tmp_path / "digits.onnx"))))
    data = open_calibration(folder, source.model, source.decode, source.path)
    for name in ("twelve", "two", "int8"):
        (tmp_path / name).mkdir()
    made = {
        "twelve": faults.rounded_weights(source.path, tmp_path / "twelve" / "net.onnx", 4096),
        "two": faults.rounded_weights(source.path, tmp_path / "two" / "net.onnx", 4),
        "int8": in_int8(source.path, data, tmp_path / "int8" / "net.onnx"),
    }
    told = {name: judged(source, data, built) for name, built in made.items()}
    rates = {name: {row.metric: row.value for row in verdict.measurements} for name, verdict in told.items()}
    assert told["twelve"].verdict == "pass"
    for metric in ("character_error_rate", "word_error_rate"):
        assert rates["twelve"][metric] == rates["twelve"][f"{metric}@source"] < 0.05
    for name, least in (("two", 0.3), ("int8", 0.05)):
        assert told[name].verdict == "fail" and table.first(told[name]) == "character_error_rate"
        assert rates[name]["character_error_rate"] > rates[name]["character_error_rate@source"] + least
