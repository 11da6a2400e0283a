"""transformers' own image processors beside ours on a drawn picture: the same values, or nothing inferred.

Every processor of the installed transformers is tried, so one that a later release brings, or changes, is seen here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgekit.inputs import images
from edgekit.model import ImageInput, Model, Tensor
from edgekit.sources.facts import preprocess
from edgekit.sources.facts.image_settings import FAMILIES

pytestmark = pytest.mark.olive

TENSOR = Tensor(name="pixel_values", dtype="float32", shape=("batch", 3, "height", "width"))
MODEL = Model(name="m", kind="tensor", sha256="0" * 64, inputs=(TENSOR,))
STATISTICS = {"image_mean": [0.481, 0.457, 0.408], "image_std": [0.268, 0.261, 0.275]}


def drawn(width: int, height: int) -> Image.Image:
    """A picture whose channels, sides and corners all differ, with edges that each filter blurs in its own way."""
    y, x = np.mgrid[0:height, 0:width]
    values = np.stack([x * 255 / width, y * 255 / height, ((x + y) % 97) * 2.6], -1).astype(np.uint8)
    values[height // 3 : height // 2, width // 3 : width // 2] = [250, 20, 20]
    return Image.fromarray(values)


PICTURES = [drawn(400, 300), drawn(201, 333), drawn(40, 30)]


@pytest.fixture(scope="module")
def hf() -> Any:
    import transformers

    return transformers


def inferred(folder: Path, settings: dict[str, Any], name: str = "preprocessor_config.json") -> Model:
    """The model of a folder with these settings."""
    (folder / name).write_text(json.dumps(settings))
    return preprocess.described(folder, MODEL)


def assert_as_theirs(made: ImageInput, processor: Any) -> None:
    """Equal to 1e-3 of the processor's values on every picture."""
    for picture in PICTURES:
        theirs = processor(picture, return_tensors="np")["pixel_values"]
        ours = images.prepare(picture, made, TENSOR)
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_every_processor_with_its_own_defaults_is_equal_or_left_out(hf: Any, tmp_path: Path) -> None:
    from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES

    equal, left_out = set(), set()
    for name in sorted({slow for slow, _ in IMAGE_PROCESSOR_MAPPING_NAMES.values() if slow}):
        try:
            processor = getattr(hf, name)()
        except (AttributeError, ImportError, ValueError):  # needs another library, or an argument
            continue
        model = inferred(tmp_path, json.loads(processor.to_json_string()))
        made = model.inputs[0].preprocess
        if made is None:
            assert model.left_out and "preprocessor_config.json" in model.left_out[0], name
            left_out.add(name)
        else:
            assert isinstance(made, ImageInput)
            assert_as_theirs(made, processor)
            equal.add(name)
    assert equal == {f"{family}ImageProcessor" for family in FAMILIES}, "each family is tried"
    assert len(left_out) > 30


VARIED: dict[str, tuple[str, dict[str, Any]]] = {
    "another filter": ("ViTImageProcessor", {"resample": 0}),
    "lanczos": ("BeitImageProcessor", {"resample": 1}),
    "no square": ("ViTImageProcessor", {"size": {"height": 90, "width": 130}}),
    "mean and std": ("SegformerImageProcessor", STATISTICS),
    "not normalized": ("DeiTImageProcessor", {"do_normalize": False}),
    "not rescaled": ("ViTImageProcessor", {"do_rescale": False, "do_normalize": False}),
    "another scale": ("CLIPImageProcessor", {"rescale_factor": 1 / 127.5}),
    "cut without scaling": ("CLIPImageProcessor", {"do_resize": False}),
    "cut larger than the picture": (
        "CLIPImageProcessor",
        {"do_resize": False, "crop_size": {"height": 500, "width": 411}},
    ),
    "cut of odd sizes": (
        "MobileNetV2ImageProcessor",
        {"size": {"shortest_edge": 101}, "crop_size": {"height": 77, "width": 88}},
    ),
    "cut larger than the side": (
        "MobileViTImageProcessor",
        {"size": {"shortest_edge": 60}, "crop_size": {"height": 96, "width": 96}},
    ),
    "channels kept": ("MobileViTImageProcessor", {"do_flip_channel_order": False}),
    "nothing cut": ("CLIPImageProcessor", {"do_center_crop": False, "size": {"height": 64, "width": 80}}),
    "below 384": ("ConvNextImageProcessor", {"size": {"shortest_edge": 224}}),
    "another ratio": ("ConvNextImageProcessor", {"size": {"shortest_edge": 288}, "crop_pct": 0.95}),
    "above 384": ("ConvNextImageProcessor", {"size": {"shortest_edge": 400}}),
    "a ratio of a square": ("PoolFormerImageProcessor", {"size": {"height": 100, "width": 100}, "crop_size": 90}),
    "no ratio": ("PoolFormerImageProcessor", {"crop_pct": None}),
    "levit": ("LevitImageProcessor", {"size": {"shortest_edge": 101}, "crop_size": {"height": 99, "width": 99}}),
    "levit of a rectangle": ("LevitImageProcessor", {"size": {"height": 99, "width": 120}, "do_center_crop": False}),
    "offset": ("EfficientNetImageProcessor", {"rescale_offset": True, "rescale_factor": 1 / 127.5, **STATISTICS}),
    "no top": ("EfficientNetImageProcessor", {"include_top": False, **STATISTICS}),
    "cut at the top": ("EfficientNetImageProcessor", {"do_center_crop": True, **STATISTICS}),
}


@pytest.mark.parametrize("case", VARIED)
def test_settings_as_people_publish_them(hf: Any, tmp_path: Path, case: str) -> None:
    name, settings = VARIED[case]
    processor = getattr(hf, name)(**settings)
    made = inferred(tmp_path, json.loads(processor.to_json_string())).inputs[0].preprocess
    assert isinstance(made, ImageInput)
    assert_as_theirs(made, processor)


@pytest.mark.parametrize("resample", ["bilinear", "bicubic"])
def test_the_resize_of_the_fast_processors_is_not_pillows(resample: str) -> None:
    """torchvision hands pixels to this function of torch: were it Pillow's one day, Fast need not be left out."""
    import torch

    steps = []
    for picture in [*PICTURES, drawn(640, 480)]:
        pixels = torch.from_numpy(np.asarray(picture).transpose(2, 0, 1)[None].copy())
        resized: Any = torch.nn.functional.interpolate(pixels, (224, 224), mode=resample, antialias=True)
        pillow = np.asarray(picture.resize((224, 224), Image.Resampling[resample.upper()]), np.int32)
        steps.append(np.abs(resized[0].numpy().transpose(1, 2, 0).astype(np.int32) - pillow).max())
    assert max(steps) >= 1, "a step of 255 is more than 1e-3"


def test_settings_of_years_ago(hf: Any, tmp_path: Path) -> None:
    """Sizes of one number, the old class names, and no key for what was always done."""
    for name, size in (("ViT", 224), ("CLIP", 224)):
        old = {"feature_extractor_type": f"{name}FeatureExtractor", "do_normalize": True, "do_resize": True}
        old |= {"size": size, "resample": 3, **STATISTICS}
        old |= {"do_center_crop": True, "crop_size": 224} if name == "CLIP" else {}
        made = inferred(tmp_path, old).inputs[0].preprocess
        assert isinstance(made, ImageInput)
        assert_as_theirs(made, getattr(hf, f"{name}ImageProcessor").from_dict(old))


def test_recordings(hf: Any, tmp_path: Path) -> None:
    from edgekit.inputs import audio
    from edgekit.model import AudioInput

    tensor = Tensor(name="input_values", dtype="float32", shape=("batch", "samples"))
    sound = (np.sin(np.arange(1600) / 9) * 0.3 + 0.05).astype(np.float32)
    for settings in ({}, {"do_normalize": False}, {"sampling_rate": 8000}):
        extractor = hf.Wav2Vec2FeatureExtractor(**settings)
        (tmp_path / "preprocessor_config.json").write_text(extractor.to_json_string())
        made = preprocess.infer(tmp_path, (tensor,))[0].preprocess
        assert isinstance(made, AudioInput)
        theirs = extractor(sound, sampling_rate=made.sample_rate, return_tensors="np")["input_values"]
        np.testing.assert_allclose(audio.prepare(sound, made, tensor), theirs, atol=1e-5)
