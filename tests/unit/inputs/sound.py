"""WAV files for tests."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def tone(frequency: float, rate: int, seconds: float) -> NDArray[np.float64]:
    return np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate)


def write_wav(path: Path, samples: NDArray[Any], rate: int, *, width: int = 2, channels: int = 1) -> Path:
    """Samples in [-1, 1], [n] or [n, channels], as PCM of 1 to 4 bytes."""
    top = 2 ** (8 * width - 1) - 1
    values = np.round(np.asarray(samples) * top).astype(np.int64)
    if width == 1:
        raw = (values + 128).astype(np.uint8).tobytes()
    else:
        raw = values.astype("<i8").reshape(-1, 1).view(np.uint8).reshape(-1, 8)[:, :width].tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(raw)
    return path
