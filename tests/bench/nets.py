"""The nets of the test-bench: of each kind a real one out of a package, and inputs that look like its own.

No package that was found has a vocoder's weights; GTCRN stands for it: it writes the spectrum that an app turns into
sound. A detector and a segmentation net come as TFLite in MediaPipe's wheel (Apache-2.0) and are read by tflite.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache as once
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgekit import cache, sources
from edgekit.inputs import sounds
from edgekit.inputs.feeds import Feed
from edgekit.inputs.streams import Carrier
from edgekit.inputs.synthetic import probe_feeds
from edgekit.sources import Source, pypi
from tests.bench import tflite

COUNT = 48  # inputs
MEDIAPIPE = "pypi:mediapipe==0.10.21#mediapipe/modules/"
FACES = (
    MEDIAPIPE + "face_detection/face_detection_short_range.tflite"
    "@sha256=bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8"
)
SELFIES = (
    MEDIAPIPE + "selfie_segmentation/selfie_segmentation.tflite"
    "@sha256=9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c"
)
PORTRAIT = (  # NASA's of Eileen Collins, in the public domain
    "pypi:scikit-image==0.25.2#skimage/data/astronaut.png"
    "@sha256=88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"
)
FRAME, HOP, RATE = 512, 256, 16000  # samples, of GTCRN


@dataclass(frozen=True)
class Net:
    """A float net, inputs for it, and how an app reads its outputs."""

    source: Source
    feeds: list[Feed]
    decode: str = "none"


@once
def opened(kind: str) -> Net:
    """The net of KINDS, or of the catalogue."""
    if kind in KINDS:
        return KINDS[kind]()
    source = sources.open_source(kind)
    feeds, _ = probe_feeds(source.model, source.card, source.path)
    assert feeds is not None and source.card is not None
    return Net(source, feeds[:COUNT], source.card.decode)


def _faces() -> Net:
    return _pictured(FACES, lambda picture: picture / np.float32(127.5) - 1)


def _selfies() -> Net:
    return _pictured(SELFIES, lambda picture: picture / np.float32(255))


def _pictured(ref: str, scaled: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> Net:
    source = sources.open_source(str(_converted(ref)))
    [picture] = source.model.inputs
    height, width = picture.shape[1:3]
    assert isinstance(height, int) and isinstance(width, int)
    return Net(source, [{picture.name: scaled(crop)[None]} for crop in _portraits(height, width)])


def _converted(ref: str) -> Path:
    wanted = pypi.parse(ref)
    taken = _file(ref)

    def make(folder: Path) -> None:
        tflite.convert(taken, folder / "net.onnx")

    code = cache.path_digest(Path(tflite.__file__))
    key = {"tests": "tflite", "sha256": wanted.sha256, "code": code}
    return cache.produce("import", key, make, what=f"{taken.name} as ONNX").path / "net.onnx"


def _file(ref: str) -> Path:
    wanted = pypi.parse(ref)
    return pypi.download(wanted, lambda text: None) / "files" / Path(wanted.path).name


def _portraits(height: int, width: int) -> Iterator[NDArray[np.float32]]:
    """A person, nearer and farther, at other places, turned and in other light: float32 [height, width, 3] to 255."""
    random = np.random.default_rng(20261130)
    with Image.open(_file(PORTRAIT)) as picture:
        whole = picture.convert("RGB")
    for at in range(COUNT):
        size = int(random.uniform(0.45, 1) * whole.width)
        left, top = int(random.uniform(0, whole.width - size)), int(random.uniform(0, 0.6) * (whole.height - size))
        cut = whole.crop((left, top, left + size, top + size)).resize((width, height), Image.Resampling.BILINEAR)
        cut = cut.rotate(random.uniform(-12, 12), Image.Resampling.BILINEAR, fillcolor=(120, 120, 120))
        values = np.asarray(cut, np.float32)[:, :: -1 if at % 2 else 1]
        yield np.clip(values * np.float32(random.uniform(0.5, 1.3)), 0, 255)


def _voices() -> Net:
    source = sources.open_source(str(Path(__file__).with_name("gtcrn.toml")))
    carrier, feeds = Carrier(source.model, source.path), list[Feed]()
    window = np.hanning(FRAME).astype(np.float32) ** 0.5
    for at in range(6):
        sound = sounds.recording(at, RATE, 1.0)[RATE // 4 :]
        frames = [np.fft.rfft(sound[k * HOP : k * HOP + FRAME] * window) for k in range(COUNT // 6)]
        spectra = [np.stack([frame.real, frame.imag], -1).astype(np.float32) for frame in frames]
        feeds += carrier.stream({"mix": spectrum[None, :, None, :]} for spectrum in spectra)
    return Net(source, feeds)


KINDS = {"face-detection": _faces, "selfie-segmentation": _selfies, "gtcrn": _voices}
