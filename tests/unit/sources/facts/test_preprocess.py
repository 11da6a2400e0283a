"""Settings of processors are understood whole or left out, and the key is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.model import AudioInput, ImageInput, Tensor
from edgekit.sources.facts import preprocess

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


def test_without_settings_nothing_is_left_out(tmp_path: Path) -> None:
    assert preprocess.infer(tmp_path, (PICTURE, SOUND)) == (PICTURE, SOUND)
    assert preprocess.left_out(tmp_path, (PICTURE, SOUND)) == ()


def test_two_files_that_may_differ(tmp_path: Path) -> None:
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": VIT}))
    made, lines = described(tmp_path, VIT)
    assert made is None and "several processors" in lines[0]


def test_the_settings_of_timm_are_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"pretrained_cfg": {"crop_pct": 0.95}}))
    assert "pretrained_cfg" in preprocess.left_out(tmp_path, (PICTURE,))[0]


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
