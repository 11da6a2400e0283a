"""Settings of processors are understood whole or left out, and the key is named."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgekit.inputs import images, options
from edgekit.model import AudioInput, ImageInput, Model, Tensor
from edgekit.sources.facts import image_settings, preprocess

pytestmark = pytest.mark.unit

PICTURE = Tensor(name="pixel_values", dtype="float32", shape=("batch", 3, "height", "width"))
SOUND = Tensor(name="input_values", dtype="float32", shape=("batch", "samples"))
VIT = {
    "image_processor_type": "ViTImageProcessor",
    "do_resize": True,
    "size": {"height": 224, "width": 224},
    "resample": 2,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
CLIP = VIT | {
    "image_processor_type": "CLIPImageProcessor",
    "size": {"shortest_edge": 224},
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
}
EXTRACTOR = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "feature_size": 1, "sampling_rate": 16000}
LEFT_OUT: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown switch": (VIT | {"do_invert": True}, "do_invert"),
    "an unknown number": (VIT | {"gamma": 2.2}, "gamma"),
    "another class's key": (VIT | {"do_flip_channel_order": True}, "do_flip_channel_order"),
    "padding": (VIT | {"do_pad": True, "pad_size": {"height": 256, "width": 256}}, "do_pad"),
    "a thumbnail": (VIT | {"do_thumbnail": True}, "do_thumbnail"),
    "patches": (VIT | {"crop_to_patches": True}, "crop_to_patches"),
    "an unknown class": (VIT | {"image_processor_type": "NewImageProcessor"}, "NewImageProcessor"),
    "no class": ({key: value for key, value in VIT.items() if key != "image_processor_type"}, "image_processor_type"),
    "not resized": (VIT | {"do_resize": False}, "do_resize"),
    "an unknown filter": (VIT | {"resample": 7}, "resample"),
    "no filter": ({key: value for key, value in VIT.items() if key != "resample"}, "resample"),
    "the filter as a word": (VIT | {"resample": "bicubic"}, "resample"),
    "no size": ({key: value for key, value in VIT.items() if key != "size"}, "size"),
    "the longer side": (VIT | {"size": {"longest_edge": 800}}, "size"),
    "both sides": (VIT | {"size": {"shortest_edge": 800, "longest_edge": 1333}}, "size"),
    "a size of 0": (VIT | {"size": {"height": 0, "width": 224}}, "size"),
    "the shorter side, uncut": (VIT | {"size": {"shortest_edge": 224}}, "size"),
    "cut, but to what": (CLIP | {"crop_size": None}, "crop_size"),
    "cut, or not": ({key: value for key, value in CLIP.items() if key != "do_center_crop"}, "do_center_crop"),
    "cut by default, whatever the size": (
        {**VIT, "image_processor_type": "MobileNetV1ImageProcessor"},
        "do_center_crop",
    ),
    "a share that the class has a default for": (
        {**CLIP, "image_processor_type": "PoolFormerImageProcessor"},
        "crop_pct",
    ),
    "normalized twice by default": (
        {**CLIP, "image_processor_type": "EfficientNetImageProcessor", "rescale_offset": False},
        "include_top",
    ),
    "normalized, or not": (
        {key: value for key, value in VIT.items() if key != "do_normalize"}
        | {"image_processor_type": "RTDetrImageProcessor"},
        "do_normalize",
    ),
    "no mean": (VIT | {"image_mean": None}, "image_mean"),
    "a mean of two": (VIT | {"image_mean": [0.5, 0.5]}, "image_mean"),
    "a std of 0": (VIT | {"image_std": [0.5, 0.0, 0.5]}, "image_std"),
    "channels last": (VIT | {"data_format": "channels_last"}, "data_format"),
    "a factor as a word": (VIT | {"rescale_factor": "1/255"}, "rescale_factor"),
    "another layout of the graph": (VIT | {"size": {"height": 200, "width": 224}}, "the model takes"),
}


def described(folder: Path, settings: dict[str, Any], tensor: Tensor = PICTURE) -> tuple[Any, tuple[str, ...]]:
    """What is inferred from these settings, and what is left out."""
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return preprocess.infer(folder, (tensor,))[0].preprocess, preprocess.left_out(folder, (tensor,))


@pytest.mark.parametrize("case", LEFT_OUT)
def test_settings_that_are_not_understood_are_left_out_by_name(case: str, tmp_path: Path) -> None:
    settings, key = LEFT_OUT[case]
    fixed = PICTURE.model_copy(update={"shape": (1, 3, 224, 224)})
    made, lines = described(tmp_path, settings, fixed)
    assert made is None
    assert len(lines) == 1 and "preprocessor_config.json" in lines[0] and key in lines[0]


def test_what_says_nothing_of_the_pixels_is_passed_over(tmp_path: Path) -> None:
    silent = {
        "processor_class": "X",
        "do_convert_rgb": True,
        "do_pad": False,
        "pad_size": None,
        "do_reduce_labels": True,
    }
    made, lines = described(tmp_path, VIT | silent)
    assert isinstance(made, ImageInput) and (made.height, made.width, made.fit) == (224, 224, "stretch")
    assert not lines


TORCHVISION: dict[str, tuple[str, dict[str, Any], dict[str, Any], str]] = {
    "by its name": ("preprocessor_config.json", {"image_processor_type": "ViTImageProcessorFast"}, {}, "Fast resizes"),
    "by a key of its own": ("preprocessor_config.json", {"disable_grouping": None}, {}, "of transformers 5 resizes"),
    "by who saved the model": ("preprocessor_config.json", {}, {"transformers_version": "5.24.0"}, "of transformers 5"),
    "by the one file": ("processor_config.json", {}, {"transformers_version": "4.57.6"}, "of transformers 5"),
    "cut alone": (
        "preprocessor_config.json",
        CLIP | {"image_processor_type": "CLIPImageProcessorFast", "do_resize": False},
        {},
        "a row or a column aside",
    ),
}


@pytest.mark.parametrize("case", TORCHVISION)
def test_processors_of_torchvision_are_left_out_with_what_is_next_to_them(case: str, tmp_path: Path) -> None:
    name, changes, config, reason = TORCHVISION[case]
    settings = {"image_processor": VIT | changes} if name == "processor_config.json" else VIT | changes
    (tmp_path / name).write_text(json.dumps(settings))
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert preprocess.infer(tmp_path, (PICTURE,))[0].preprocess is None
    (line,) = preprocess.left_out(tmp_path, (PICTURE,))
    assert f"{name}: " in line and reason in line
    model = Model(name="n", kind="tensor", sha256="", inputs=(PICTURE,))
    said = options.parse([line.partition("--input-spec ")[2]], model)["pixel_values"]
    plain = {key: value for key, value in (VIT | changes).items() if key != "disable_grouping"}
    plain["image_processor_type"] = plain["image_processor_type"].removesuffix("Fast")
    assert said == image_settings.image_input(plain), "what is next to it is Pillow's of the same settings"


@pytest.mark.parametrize("version", ["4.57.6", "4.36.0.dev0", "", None, 5])
def test_processors_of_transformers_4_are_pillows(version: Any, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"transformers_version": version}))
    made, lines = described(tmp_path, VIT)
    assert isinstance(made, ImageInput) is (version != 5) and bool(lines) is (version == 5)


def test_without_settings_nothing_is_left_out(tmp_path: Path) -> None:
    assert preprocess.infer(tmp_path, (PICTURE, SOUND)) == (PICTURE, SOUND)
    assert preprocess.left_out(tmp_path, (PICTURE, SOUND)) == ()


def test_two_files_that_may_differ(tmp_path: Path) -> None:
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": VIT}))
    made, lines = described(tmp_path, VIT)
    assert made is None and "several processors" in lines[0]


TIMM = {
    "input_size": [3, 224, 224],
    "interpolation": "bicubic",
    "crop_pct": 0.875,
    "crop_mode": "squash",
    "num_classes": 9,
}
TIMM |= {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}


def timm(folder: Path, **changes: Any) -> tuple[Any, tuple[str, ...]]:
    """What is inferred of a picture from timm's settings, and what is left out."""
    (folder / "config.json").write_text(json.dumps({"architecture": "vit", "pretrained_cfg": TIMM | changes}))
    tensor = PICTURE.model_copy(update={"name": "x"})  # as torch names it
    return preprocess.infer(folder, (tensor,))[0].preprocess, preprocess.left_out(folder, (tensor,))


@pytest.mark.parametrize("share", [1.0, 0.875, 0.9, 0.96])
@pytest.mark.parametrize("size", [224, 240])
@pytest.mark.parametrize("shape", [(403, 301), (200, 150)])
def test_timm_squashes_and_cuts(share: float, size: int, shape: tuple[int, int], tmp_path: Path) -> None:
    """Beside Pillow and torchvision's formula, as timm.data.create_transform puts them together."""
    pixels = np.random.default_rng(0).integers(0, 256, (*shape[::-1], 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    made, lines = timm(tmp_path, crop_pct=share, input_size=[3, size, size])
    before = math.floor(size / share)
    begin = round((before - size) / 2.0)
    if begin != (before - size) // 2:
        assert made is None and "crop_mode squash cuts" in lines[0]
        return
    scaled = np.asarray(Image.fromarray(pixels).resize((before, before), Image.Resampling.BICUBIC), np.float32)
    wanted = (scaled[begin : begin + size, begin : begin + size] / 255 - TIMM["mean"]) / TIMM["std"]
    assert (
        not lines and np.abs(images.load(tmp_path / "p.png", made, PICTURE)[0].transpose(1, 2, 0) - wanted).max() < 1e-3
    )


def test_what_timm_cuts_aside_is_offered_by_its_spec(tmp_path: Path) -> None:
    made, lines = timm(tmp_path, crop_mode="center", crop_pct=0.95)
    assert made is None and "pretrained_cfg: crop_mode center" in lines[0]
    spec = lines[0].partition("--input-spec ")[2]
    x = PICTURE.model_copy(update={"name": "x"})
    model = Model(
        name="n", kind="tensor", parameters=1, source_bytes=1, dtype="float32", sha256="", inputs=(x,), outputs=()
    )
    form = options.parse([spec], model)["x"]
    assert isinstance(form, ImageInput)
    assert (form.shortest, form.height, form.resample, form.mean) == (235, 224, "bicubic", (0.5, 0.4, 0.3))


@pytest.mark.parametrize(
    "change",
    [
        {"crop_mode": "border"},
        {"interpolation": "random"},
        {"crop_pct": 1.2},
        {"input_size": [1, 28, 28]},
        {"mean": [0.5]},
        {"std": [0, 1, 1]},
        {"do_invert": True},
        {"input_size": [3, 200, 224], "crop_pct": 1.0},
    ],
)
def test_what_of_timm_is_not_understood_is_named(change: dict[str, Any], tmp_path: Path) -> None:
    fixed = PICTURE.model_copy(update={"name": "x", "shape": (1, 3, 224, 224)})
    timm(tmp_path, **change)
    (line,) = preprocess.left_out(tmp_path, (fixed,))
    assert "config.json: pretrained_cfg: " in line
    assert next(iter(change)) in line or "the model takes" in line


@pytest.mark.parametrize("name", ["pixel_values", "pixel_values_videos"])
def test_video_processors_are_named(name: str, tmp_path: Path) -> None:
    tensor = PICTURE.model_copy(update={"name": name, "shape": (1, 8, 3, 224, 224)})
    assert preprocess.left_out(tmp_path, (tensor,)) == ()
    (tmp_path / "video_preprocessor_config.json").write_text(json.dumps({"size": {"height": 224}}))
    assert "video_preprocessor_config.json is not read" in preprocess.left_out(tmp_path, (tensor,))[0]
    (tmp_path / "processor_config.json").write_text(json.dumps({"video_processor": {"size": 224}}))
    assert "processor_config.json: video_processor is not read" in preprocess.left_out(tmp_path, (tensor,))[0]


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"feature_extractor_type": "ASTFeatureExtractor"}, "ASTFeatureExtractor"),
        ({"feature_extractor_type": None}, "feature_extractor_type"),
        ({"feature_size": 80}, "feature_size"),
        ({"sampling_rate": "16 kHz"}, "sampling_rate"),
        ({"do_center": True}, "do_center"),
    ],
)
def test_recordings_that_are_not_understood(more: dict[str, Any], key: str, tmp_path: Path) -> None:
    made, lines = described(tmp_path, EXTRACTOR | more, SOUND)
    assert made is None and key in lines[0]


def test_recordings_are_normalized_unless_it_is_switched_off(tmp_path: Path) -> None:
    assert described(tmp_path, EXTRACTOR, SOUND)[0] == AudioInput(sample_rate=16000, normalize=True)
    assert described(tmp_path, EXTRACTOR | {"do_normalize": False}, SOUND)[0] == AudioInput(sample_rate=16000)
