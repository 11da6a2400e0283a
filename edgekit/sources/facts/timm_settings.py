"""pretrained_cfg of timm (config.json) as an `ImageInput`, or the key that keeps it from being one.

What the keys do was read in timm.data.create_transform (1.0): a resize by Pillow to size / crop_pct, a cut of the
centre, mean and std. torchvision begins a cut at a half that is rounded to even, edgekit at one that is cut off: where
a picture may leave such a half nothing is inferred, for the pixels would be one row aside.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from edgekit.inputs.unmade import NEAR
from edgekit.model import ImageInput
from edgekit.sources.facts.image_settings import FILTERS, NotUnderstood, as_spec

KEY = "pretrained_cfg"
CROP_PCT, MEAN, STD = 0.875, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of a setting that is not there
SILENT = {
    *("url", "file", "state_dict", "hf_hub_id", "hf_hub_filename", "source", "architecture", "tag", "custom_load"),
    *("test_input_size", "min_input_size", "fixed_input_size", "test_crop_pct", "num_classes", "label_offset"),
    *("label_names", "label_descriptions", "pool_size", "test_pool_size", "first_conv", "classifier", "license"),
    *("description", "origin_url", "paper_name", "paper_ids", "notes"),
}
READ = {"input_size", "interpolation", "crop_pct", "crop_mode", "mean", "std"}


def image_input(settings: Mapping[str, Any], name: str) -> ImageInput:
    """How timm makes the input `name`, [batch, 3, height, width], of a picture.

    Raises:
        NotUnderstood: a key or a value that is not known, or a cut that is not the same; named.
    """
    if unknown := next((key for key, value in settings.items() if key not in SILENT | READ and value), None):
        raise NotUnderstood(f"{unknown} is not understood")
    height, width = _size(settings.get("input_size"))
    filtered = str(settings.get("interpolation", "bicubic"))
    if filtered not in FILTERS.values():
        raise NotUnderstood(f"interpolation is {filtered[:60]}")
    share = settings.get("crop_pct") or CROP_PCT
    if type(share) not in (int, float) or not 0 < share <= 1:
        raise NotUnderstood(f"crop_pct is {str(share)[:60]}")
    mean, std = _three("mean", settings.get("mean", MEAN)), _three("std", settings.get("std", STD))
    plain = {"height": height, "width": width, "resample": filtered, "mean": mean, "std": std}
    before = math.floor(height / share), math.floor(width / share)
    mode = str(settings.get("crop_mode") or "center")
    if mode == "squash" and before == (height, width):
        return ImageInput.model_validate({"fit": "stretch", **plain})
    if mode == "squash" and all(_same(whole - part) for whole, part in zip(before, (height, width), strict=True)):
        return ImageInput.model_validate({"fit": "resize-crop", "resized": before, **plain})
    raise NotUnderstood(
        f"crop_mode {mode[:20]} cuts a row or a column aside of edgekit's{_near(name, before, plain, mode)}"
    )


def _near(name: str, before: tuple[int, int], plain: Mapping[str, Any], mode: str) -> str:
    """What is next to it, as --input-spec writes it; "" for what is not."""
    if mode not in ("center", "squash") or (mode == "center" and before[0] != before[1]):
        return ""
    to = {"shortest": before[0]} if mode == "center" else {"resized": before}
    spec = as_spec(name, ImageInput.model_validate({"fit": "resize-crop", **to, **plain}))
    return f"{NEAR}{spec}"


def _same(over: int) -> bool:
    """Whether torchvision and edgekit begin the cut of as many rows at the same one."""
    return round(over / 2) == over // 2


def _size(value: Any) -> tuple[int, int]:
    sides = value if isinstance(value, list | tuple) else ()
    if len(sides) != 3 or sides[0] != 3 or not all(type(side) is int and side > 0 for side in sides):
        raise NotUnderstood(f"input_size is {str(value)[:60]}")
    return sides[1], sides[2]


def _three(key: str, value: Any) -> tuple[float, ...]:
    listed = value if isinstance(value, list | tuple) else ()
    if len(listed) != 3 or not all(type(part) in (int, float) for part in listed) or (key == "std" and 0 in listed):
        raise NotUnderstood(f"{key} is {str(value)[:60]}")
    return tuple(float(part) for part in listed)
