"""Recordings as inputs: WAV files read with the standard library, resampled, and cut into windows."""

from __future__ import annotations

import math
import wave
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edgekit.errors import SourceError
from edgekit.model import AudioInput, Tensor

SUFFIXES = frozenset({".wav"})
Samples = NDArray[np.float32]
ZERO_CROSSINGS = 24  # of the resampling filter on each side: aliases below -80 dB
BETA = 9.0  # of its Kaiser window
ROLL_OFF = 0.945  # the filter's edge, as a share of the lower Nyquist frequency
VARIANCE_FLOOR = 1e-7  # so that silence is not divided by zero; transformers' Wav2Vec2FeatureExtractor has the same
AGAIN = "convert it to 16-bit PCM, or leave it out"


def load(path: Path, rate: int) -> Samples:
    """A recording as float32 [samples] at `rate` Hz in [-1, 1], its channels averaged.

    Raises:
        SourceError: no WAV file, a compressed one, or one that is cut off; the file is named.
    """
    try:
        with wave.open(str(path), "rb") as file:
            frames, width, channels = file.getnframes(), file.getsampwidth(), file.getnchannels()
            raw, own = file.readframes(frames), file.getframerate()
    except (wave.Error, EOFError, OSError) as error:
        raise SourceError(f"{path.name} is not a PCM WAV file: {str(error) or 'it is cut off'}", next=AGAIN) from None
    if len(raw) != frames * width * channels:
        raise SourceError(f"{path.name} is cut off", next="replace it, or leave it out")
    if not frames or own <= 0:
        raise SourceError(f"{path.name} holds no sound", next="leave it out")
    return resample(_pcm(raw, width).reshape(-1, channels).mean(axis=1, dtype=np.float32), own, rate)


def resample(samples: Samples, have: int, want: int) -> Samples:
    """The same sound at another rate, by a polyphase windowed-sinc filter.

    Output n lies at input position n * down / up; its phase n * down % up picks one of `up` short filters.
    """
    if have == want or not len(samples):
        return samples
    common = math.gcd(have, want)
    up, down = want // common, have // common
    edge = min(1.0, want / have) * ROLL_OFF
    reach = math.ceil(ZERO_CROSSINGS / edge)
    count = -(-len(samples) * up // down)
    padded = np.pad(samples, (reach, reach + down))
    windows = sliding_window_view(padded, 2 * reach)  # windows[i] covers inputs i - reach ... i + reach - 1
    found = np.empty(count, np.float32)
    for first in range(min(up, count)):
        start, phase = divmod(first * down, up)
        offset = np.arange(-reach, reach) - phase / up
        taps = edge * np.sinc(edge * offset) * np.i0(BETA * np.sqrt(np.clip(1 - (offset / reach) ** 2, 0, 1)))
        taps = (taps / taps.sum()).astype(np.float32)
        places = found[first::up]
        places[:] = windows[start::down][: len(places)] @ taps
    return found


def windows(samples: Samples, form: AudioInput) -> list[Samples]:
    """The recording in windows of form.samples, each behind the last form.context samples of the one before.

    What is left over at the end is dropped; a recording shorter than one window is filled up with silence.
    """
    if form.samples is None:
        return [np.pad(samples, (form.context, 0))]
    missing = max(0, form.samples - len(samples))
    padded = np.pad(samples, (form.context, missing))
    count = (len(padded) - form.context) // form.samples
    return [padded[at * form.samples : (at + 1) * form.samples + form.context] for at in range(count)]


def prepare(window: Samples, form: AudioInput, tensor: Tensor) -> NDArray[Any]:
    """The array of one window, of the input's shape and dtype; integers are scaled to their full range."""
    if form.normalize:
        window = (window - window.mean()) / np.sqrt(window.var() + VARIANCE_FLOOR)
    kind = np.dtype(tensor.dtype)
    if kind.kind in "iu":
        window = np.round(np.clip(window, -1, 1) * np.iinfo(kind).max)
    return np.ascontiguousarray(window.astype(kind).reshape(form.shape))


def _pcm(raw: bytes, width: int) -> Samples:
    """Little-endian PCM of 1 to 4 bytes a sample; one byte is unsigned."""
    if width == 1:
        return np.asarray((np.frombuffer(raw, np.uint8).astype(np.float32) - 128) / 128, np.float32)
    if width == 3:
        parts = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        wide = np.zeros((len(parts), 4), np.uint8)
        wide[:, 1:] = parts
        return np.asarray(wide.reshape(-1).view("<i4") / 2**31, np.float32)
    return np.asarray(np.frombuffer(raw, f"<i{width}") / 2 ** (8 * width - 1), np.float32)
