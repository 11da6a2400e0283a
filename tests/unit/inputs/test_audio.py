"""Recordings become windows of samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import SourceError
from edgekit.inputs import audio
from edgekit.model import AudioInput
from tests.unit.inputs.nets import tensor
from tests.unit.inputs.sound import tone, write_wav

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_every_width_of_pcm_gives_the_same_sound(width: int, tmp_path: Path) -> None:
    sound = 0.8 * tone(100, 8000, 0.1)
    read = audio.load(write_wav(tmp_path / "a.wav", sound, 8000, width=width), 8000)
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, sound, atol=2 / 2 ** (8 * width - 1) + 1e-6)


def test_channels_are_averaged(tmp_path: Path) -> None:
    both = np.stack([np.full(100, 0.5), np.full(100, -0.25)], axis=1)
    read = audio.load(write_wav(tmp_path / "a.wav", both, 8000, channels=2), 8000)
    np.testing.assert_allclose(read, 0.125, atol=1e-4)


@pytest.mark.parametrize(
    ("have", "want"), [(44100, 16000), (22050, 16000), (16000, 22050), (8000, 48000), (48000, 16000)]
)
def test_a_tone_keeps_its_pitch_level_and_phase_at_another_rate(have: int, want: int) -> None:
    made = audio.resample(tone(440, have, 0.5).astype(np.float32), have, want)
    expected = tone(440, want, 0.5)
    assert len(made) == len(expected)
    inner = slice(want // 50, -want // 50)  # the filter needs its neighbours
    assert np.abs(made[inner] - expected[inner]).max() < 1e-3


def test_what_the_new_rate_cannot_hold_is_filtered_out() -> None:
    made = audio.resample(tone(11000, 44100, 0.5).astype(np.float32), 44100, 16000)
    inner = made[400:-400]
    assert np.sqrt(np.mean(inner**2)) < 1e-4  # 80 dB down; without the filter it would sound at 5 kHz


def test_windows_carry_the_end_of_the_one_before() -> None:
    form = AudioInput(sample_rate=16000, samples=4, context=2)
    cut = audio.windows(np.arange(1, 11, dtype=np.float32), form)
    assert [one.tolist() for one in cut] == [[0, 0, 1, 2, 3, 4], [3, 4, 5, 6, 7, 8]]  # 9 and 10 are no whole window


def test_a_short_recording_is_filled_up_with_silence() -> None:
    (only,) = audio.windows(np.ones(3, np.float32), AudioInput(sample_rate=16000, samples=5))
    assert only.tolist() == [1, 1, 1, 0, 0]
    assert [len(one) for one in audio.windows(np.ones(7, np.float32), AudioInput(sample_rate=16000))] == [7]


def test_shape_and_dtype_of_a_window() -> None:
    form = AudioInput(sample_rate=16000, shape=(1, -1, 1))
    window = np.array([0.0, 0.5, 2.0], np.float32)
    assert audio.prepare(window, form, tensor("x", (1, None, 1))).shape == (1, 3, 1)
    assert audio.prepare(window, form, tensor("x", (1, None, 1), dtype="int16")).reshape(-1).tolist() == [
        0,
        16384,
        32767,
    ]


def test_files_that_are_no_whole_pcm_recording_are_named(tmp_path: Path) -> None:
    data = write_wav(tmp_path / "whole.wav", tone(100, 8000, 0.1), 8000).read_bytes()
    (tmp_path / "cut.wav").write_bytes(data[:600])
    (tmp_path / "short.wav").write_bytes(data[:20])
    (tmp_path / "text.wav").write_text("no sound at all, just text")
    (tmp_path / "float.wav").write_bytes(data[:20] + (3).to_bytes(2, "little") + data[22:])
    write_wav(tmp_path / "empty.wav", np.zeros(0), 8000)
    reasons = {"cut": "cut off", "short": "not a PCM", "text": "not a PCM", "float": "not a PCM", "empty": "no sound"}
    for name, reason in reasons.items():
        with pytest.raises(SourceError, match=rf"{name}\.wav .*{reason}") as caught:
            audio.load(tmp_path / f"{name}.wav", 8000)
        assert caught.value.next
