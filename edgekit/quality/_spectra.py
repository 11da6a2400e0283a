"""Two answers compared by what they have in common: their spectrum, or their distribution.

Of random numbers nothing else is the same, and of sound nothing else is heard: a phase that moved spoils every cosine.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.quality._stats import Floats
from edgekit.results import metrics as m

FRAME = 256  # samples; shorter answers are no sound
FLOOR = 1e-6  # of the strongest band: 60 dB below it nothing is heard
KEPT = 1024  # values of a call
QUANTILES = np.linspace(0.05, 0.95, 19)


class Spectra:
    """The power spectra and the values of an output over the calls, of the source and of the built model."""

    def __init__(self, *, each: bool = False) -> None:
        """`each`: every call's spectrum counts, not the mean of all, for both models say the same in a call."""
        self._each = each
        self._powers: list[NDArray[np.float64]] = []
        self._values: list[tuple[Floats, Floats]] = []

    def add(self, source: NDArray[Any], built: NDArray[Any]) -> None:
        """One call of both; the shapes may differ."""
        pair = [np.nan_to_num(array.astype(np.float64).reshape(-1)) for array in (source, built)]
        if min(map(len, pair)) >= 2 * FRAME:
            self._powers.append(np.stack([_power(signal) for signal in pair]))
        a, b = (signal[:: max(1, len(signal) // KEPT)] for signal in pair)
        self._values.append((a, b))

    @property
    def heard(self) -> bool:
        """Whether the calls are long enough to have a spectrum."""
        return bool(self._powers)

    def distance(self) -> dict[str, float]:
        """By metric: of sound the distance of the spectra (dB), of anything else that of the distributions."""
        if self._powers:
            pairs = self._powers if self._each else [np.mean(self._powers, axis=0)]
            floor = FLOOR * max(float(pair.max()) for pair in pairs)
            return {
                m.SPECTRAL_DISTANCE_DB.name: float(
                    np.mean([log_spectral_distance(pair[0], pair[1], floor) for pair in pairs])
                )
            }
        a, b = (np.concatenate(values) for values in zip(*self._values, strict=True))
        return {m.DISTRIBUTION_DISTANCE.name: quantile_distance(a, b)}


def log_spectral_distance(source: Floats, built: Floats, floor: float = 0.0) -> float:
    """sqrt(mean((10 log10(P / Q))^2)) over the bands, in dB (Gray and Markel 1976), of what is heard in either.

    Args:
        floor: a power below which nothing is heard beside other calls.
    """
    floor = max(floor, FLOOR * max(float(source.max()), float(built.max()), 1e-300))
    heard = (source > floor) | (built > floor)
    if not heard.any():
        return 0.0
    ratio = 10 * np.log10((source[heard] + floor) / (built[heard] + floor))
    return float(np.sqrt(np.mean(ratio**2)))


def quantile_distance(source: Floats, built: Floats) -> float:
    """Mean distance of the quantiles, in standard deviations of the source."""
    spread = float(source.std()) or 1.0
    return float(np.mean(np.abs(np.quantile(source, QUANTILES) - np.quantile(built, QUANTILES))) / spread)


def _power(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean power of each band over frames that overlap by half, under a Hann window."""
    starts = range(0, len(signal) - FRAME + 1, FRAME // 2)
    frames = np.stack([signal[start : start + FRAME] for start in starts]) * np.hanning(FRAME)
    return np.asarray((np.abs(np.fft.rfft(frames, axis=1)) ** 2).mean(axis=0))
