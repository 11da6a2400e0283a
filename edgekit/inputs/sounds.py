"""Synthesized sound for models of audio: speech-like phrases, notes and chords, sweeps, noise. Deterministic."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SEED = 20261124
Samples = NDArray[np.float32]
# The first three formants (Hz) of five vowels and the width of each: Peterson and Barney 1952, men, rounded.
VOWELS = ((730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240))
WIDTHS = (80.0, 110.0, 160.0)


def recording(at: int, rate: int, seconds: float) -> Samples:
    """float32 [samples] in [-1, 1]: the kind goes round with `at` (three of six are speech-like)."""
    random = np.random.default_rng((SEED, 3, at))
    count = round(rate * seconds)
    made = (speech, notes, speech, sweep, speech, _noise)[at % 6](random, rate, count)
    peak = float(np.abs(made).max()) or 1.0
    level = random.uniform(0.15, 0.9)
    room = random.normal(0, 10 ** random.uniform(-4.5, -2.5), count)
    return np.clip(made / peak * level + room, -1, 1).astype(np.float32)


def speech(random: np.random.Generator, rate: int, count: int) -> NDArray[np.float64]:
    """Syllables of a voiced source through vowel formants, with hisses between them and pauses."""
    sound = np.zeros(count)
    place = int(random.uniform(0, 0.25) * rate)
    base = random.uniform(85, 240)  # Hz, the voice
    while place < count:
        length = min(count - place, int(random.uniform(0.09, 0.3) * rate))
        part = _vowel(random, rate, length, base) if random.random() < 0.75 else _hiss(random, length)
        sound[place : place + length] = part * np.hanning(length) if length > 1 else part
        place += length + int((random.uniform(0.2, 0.6) if random.random() < 0.2 else random.uniform(0, 0.06)) * rate)
    return sound


def notes(random: np.random.Generator, rate: int, count: int) -> NDArray[np.float64]:
    """Plucked notes and chords of the tempered scale, each with falling overtones."""
    sound = np.zeros(count)
    place = 0
    while place < count:
        length = min(count - place, int(random.uniform(0.2, 0.7) * rate))
        time = np.arange(length) / rate
        for _ in range(int(random.integers(1, 4))):
            pitch = 440.0 * 2 ** ((int(random.integers(40, 88)) - 69) / 12)
            for overtone in range(1, 9):
                if pitch * overtone < rate * 0.45:
                    fade = np.exp(-time * (2 + overtone))
                    sound[place : place + length] += np.sin(2 * np.pi * pitch * overtone * time) * fade / overtone**1.3
        place += int(length * random.uniform(0.6, 1.0)) + 1
    return sound


def sweep(random: np.random.Generator, rate: int, count: int) -> NDArray[np.float64]:
    """A tone with overtones that glides through two octaves and back."""
    time = np.arange(count) / rate
    low, cycle = random.uniform(70, 300), random.uniform(1.0, 4.0)
    pitch = low * 2 ** (1 - np.cos(2 * np.pi * time / cycle))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    return np.asarray(np.sin(phase) + 0.4 * np.sin(2 * phase) + 0.2 * np.sin(3 * phase))


def _noise(random: np.random.Generator, rate: int, count: int) -> NDArray[np.float64]:
    """A room: noise that falls with frequency, and now and then a knock."""
    spectrum = np.fft.rfft(random.normal(0, 1, count))
    spectrum /= np.maximum(1.0, np.fft.rfftfreq(count, 1 / rate) / 60.0)
    sound = np.fft.irfft(spectrum, count)
    sound /= np.abs(sound).max() or 1.0
    for place in random.integers(0, count, 2 + count // rate):
        tail = sound[place : place + rate // 10]
        tail += random.normal(0, 1, len(tail)) * np.exp(-np.arange(len(tail)) / (rate / 80))
    return sound


def _vowel(random: np.random.Generator, rate: int, count: int, base: float) -> NDArray[np.float64]:
    time = np.arange(count) / rate
    pitch = base * 2 ** (random.uniform(-0.35, 0.35) + random.uniform(-0.25, 0.25) * time / max(time[-1], 1e-3))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    formants = VOWELS[int(random.integers(0, len(VOWELS)))]
    sound = np.zeros(count)
    for overtone in range(1, int(min(rate * 0.45, 4500) // (base * 1.6)) + 1):
        frequency = overtone * float(pitch.mean())
        gain = sum(1 / (1 + ((frequency - one) / width) ** 2) for one, width in zip(formants, WIDTHS, strict=True))
        sound += np.sin(overtone * phase) * (gain + 0.02) / overtone**0.5
    return sound


def _hiss(random: np.random.Generator, count: int) -> NDArray[np.float64]:
    """A fricative: noise with its low part taken out."""
    noise = random.normal(0, 1, count + 1)
    return np.asarray((noise[1:] - 0.95 * noise[:-1]) * 0.6)
