"""preprocessor_config.json of an image processor as an `ImageInput`, or the key that keeps it from being one.

A setting that is read by half gives a model other pictures than it was trained on, and every comparison of a bundle
with its source passes all the same: both see the wrong ones. So every key must be understood, or nothing is inferred.
What the keys do was read in transformers' image processors; the tests hold all of them beside ours on a picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from edgekit.model import ImageInput, Resample

# As Pillow numbers its filters.
FILTERS: dict[int, Resample] = {
    0: "nearest",
    1: "lanczos",
    2: "bilinear",
    3: "bicubic",
    4: "box",
    5: "hamming",
}
# What says nothing of the pixels.
SILENT = {
    "image_processor_type",
    "feature_extractor_type",
    "processor_class",
    "_processor_class",
    "_valid_processor_keys",
    "do_convert_rgb",  # every picture becomes RGB here
    "do_reduce_labels",
    "do_convert_annotations",
    "format",
    "input_data_format",
    "return_tensors",
    "device",
    "disable_grouping",
    "default_to_square",
    "num_labels",
    "ignore_index",
    "mask_size",
}
READ = {
    "do_resize",
    "size",
    "resample",
    "do_center_crop",
    "crop_size",
    "do_rescale",
    "rescale_factor",
    "do_normalize",
    "image_mean",
    "image_std",
    "data_format",
}
# Keys that matter only to a switch which is off.
IDLE = {"size_divisor": "do_pad", "pad_size": "do_pad"}


class NotUnderstood(ValueError):
    """Settings whose meaning is not sure; the text names the key."""


@dataclass(frozen=True)
class Family:
    """What one kind of image processor does with the common keys.

    Attributes:
        crops: it has do_center_crop, whose default may be true.
        square: a size of one number is a square, not the shorter side.
        own: the keys that it alone has, which are not to be left out.
        needs: others that are not, for what the class takes then is not what most take.
        resize: plain; ratio: the shorter side is int(size / crop_pct); convnext: so below 384, above stretched; levit.
    """

    crops: bool = False
    square: bool = True
    own: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    resize: Literal["plain", "ratio", "convnext", "levit"] = "plain"


STRETCHED, CROPPED = Family(), Family(crops=True)
SHORTEST = Family(crops=True, square=False)
FAMILIES: dict[str, Family] = {
    "Beit": CROPPED,
    "Bit": SHORTEST,
    "Blip": STRETCHED,
    "CLIP": SHORTEST,
    "ConvNext": Family(square=False, own=("crop_pct",), resize="convnext"),
    "DeiT": CROPPED,
    "EfficientNet": Family(crops=True, own=("rescale_offset", "include_top")),
    "Levit": Family(crops=True, square=False, resize="levit"),
    "MobileNetV1": SHORTEST,
    "MobileNetV2": SHORTEST,
    "MobileViT": Family(crops=True, square=False, own=("do_flip_channel_order",)),
    "OwlViT": CROPPED,
    "PoolFormer": Family(crops=True, square=False, own=("crop_pct",), resize="ratio"),
    "Pvt": STRETCHED,
    "RTDetr": Family(needs=("do_normalize",)),
    "Segformer": STRETCHED,
    "Siglip": STRETCHED,
    "ViT": STRETCHED,
    "ViTHybrid": SHORTEST,
}
SHORT_SIDE = 384  # of ConvNext: pictures of this size and above are stretched


def image_input(settings: Mapping[str, Any]) -> ImageInput:
    """How the processor with these settings makes its pixel_values, [batch, channels, height, width].

    Raises:
        NotUnderstood: a key, a value or a processor that is not known; named.
    """
    family = _family(settings)
    _only_known(settings, family)
    return ImageInput(**_sized(settings, family), **_scaled(settings))


def not_pillows(settings: Mapping[str, Any], form: ImageInput, *, since_5: bool) -> str:
    """Why the processor's pixels are not Pillow's; "" where they are.

    A class called Fast resizes with torchvision: other weights, and another path on a CPU without AVX2, so that its
    pixels are no function of the settings alone. transformers 5 dropped the word: its plain names are torchvision, too.

    Args:
        since_5: transformers 5 or newer wrote the settings.
    """
    named = str(settings.get("image_processor_type"))[:60]
    if not (named.endswith("Fast") or since_5 or "disable_grouping" in settings):
        return ""
    by = named if named.endswith("Fast") else f"{named} of transformers 5"
    if form.fit == "resize-crop" and form.shortest is None and form.resized is None:
        return f"{by} cuts a picture that is smaller than the cut a row or a column aside"
    return f"{by} resizes with torchvision, whose pixels are not all Pillow's"


def as_spec(name: str, form: ImageInput) -> str:
    """What makes the input `name` so, as --input-spec takes it; what was not set is left out."""
    pairs = ((key, value) for key, value in form if key in form.model_fields_set and key != "kind")
    return ",".join((f"{name}:image", *(f"{key}={_said(key, value)}" for key, value in pairs)))


def _said(key: str, value: Any) -> str:
    return ("x" if key == "resized" else ":").join(map(str, value)) if isinstance(value, tuple) else str(value)


def _family(settings: Mapping[str, Any]) -> Family:
    named = settings.get("image_processor_type", settings.get("feature_extractor_type"))
    if named is None:
        raise NotUnderstood("image_processor_type is missing")
    name = str(named).removesuffix("Fast").removesuffix("ImageProcessor").removesuffix("FeatureExtractor")
    if name not in FAMILIES:
        raise NotUnderstood(f"image_processor_type {str(named)[:60]} is not known")
    return FAMILIES[name]


def _only_known(settings: Mapping[str, Any], family: Family) -> None:
    for key, value in settings.items():
        idle = not value or (key in IDLE and not settings.get(IDLE[key]))
        if key not in READ and key not in SILENT and key not in family.own and not idle:
            raise NotUnderstood(f"{key} is not understood")
    for key in (*family.own, *family.needs, *(("do_center_crop",) if family.crops else ())):
        if key not in settings:
            raise NotUnderstood(f"{key} is missing")
    if settings.get("data_format") not in (None, "channels_first", "FIRST"):
        raise NotUnderstood("data_format is not channels_first")


def _sized(settings: Mapping[str, Any], family: Family) -> dict[str, Any]:
    """How a picture comes to its size: the fields fit, height, width, shortest, resized and resample."""
    crop = settings.get("do_center_crop", False) if family.crops else False
    cut = _rectangle("crop_size", settings.get("crop_size")) if crop else None
    if not settings.get("do_resize", True):
        if cut is None:
            raise NotUnderstood("do_resize is false: pictures of any size are taken as they are")
        return {"fit": "resize-crop", "height": cut[0], "width": cut[1]}
    resample = settings.get("resample")
    if type(resample) is not int or resample not in FILTERS:
        raise NotUnderstood(f"resample is {resample!r}")
    filtered = {"resample": FILTERS[resample]}
    shortest, rectangle = _size(settings, family)
    if family.resize == "convnext":
        return filtered | _convnext(shortest, settings)
    if family.resize == "levit" and shortest is not None:
        shortest = int(256 / 224 * shortest)
    if family.resize == "ratio" and settings.get("crop_pct") is not None:
        if shortest is None and rectangle is not None and rectangle[0] == rectangle[1]:
            shortest = rectangle[0]
        if shortest is None:
            raise NotUnderstood("crop_pct of a size that is no square is not understood")
        shortest = int(shortest / _fraction(settings))
    if cut is not None:
        scaled = {"shortest": shortest} if shortest is not None else {"resized": rectangle}
        return filtered | {"fit": "resize-crop", "height": cut[0], "width": cut[1], **scaled}
    if rectangle is None or shortest is not None:
        raise NotUnderstood("size is the shorter side, and nothing is cut: the input's size depends on the picture")
    return filtered | {"fit": "stretch", "height": rectangle[0], "width": rectangle[1]}


def _convnext(shortest: int | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    if shortest is None:
        raise NotUnderstood("size of ConvNext is no shortest_edge")
    square = {"height": shortest, "width": shortest}
    if shortest >= SHORT_SIDE:
        return {"fit": "stretch", **square}
    return {"fit": "resize-crop", "shortest": int(shortest / _fraction(settings)), **square}


def _size(settings: Mapping[str, Any], family: Family) -> tuple[int | None, tuple[int, int] | None]:
    """The length of the shorter side, or a height and a width."""
    size = settings.get("size")
    if type(size) is int and size > 0:
        return (None, (size, size)) if family.square else (size, None)
    if isinstance(size, dict) and set(size) == {"shortest_edge"}:
        edge = size["shortest_edge"]
        if type(edge) is int and edge > 0:
            return edge, None
    return None, _rectangle("size", size)


def _rectangle(key: str, value: Any) -> tuple[int, int]:
    if type(value) is int and value > 0:
        return value, value
    if isinstance(value, dict) and set(value) == {"height", "width"}:
        sides = value["height"], value["width"]
        if all(type(side) is int and side > 0 for side in sides):
            return sides
    raise NotUnderstood(f"{key} is {str(value)[:60]}")


def _fraction(settings: Mapping[str, Any]) -> float:
    value = settings.get("crop_pct")
    if type(value) not in (int, float) or not 0 < float(value) <= 1:  # type: ignore[arg-type]
        raise NotUnderstood(f"crop_pct is {str(value)[:60]}")
    return float(value)  # type: ignore[arg-type]


def _scaled(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The fields scale, mean, std and channels."""
    scale = _number("rescale_factor", settings.get("rescale_factor", 1 / 255)) if _on(settings, "do_rescale") else 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    flipped = "do_flip_channel_order" in _family(settings).own
    normalized = settings.get("do_normalize", not flipped)  # MobileViT does not
    if normalized and flipped:
        raise NotUnderstood("do_normalize of flipped channels is not understood")
    if normalized:
        mean, std = _channels("image_mean", settings), _channels("image_std", settings)
    if settings.get("rescale_offset"):
        mean = tuple(value + 1.0 for value in mean)
    if settings.get("include_top"):  # normalized once more, without a mean
        std = tuple(value * again for value, again in zip(std, _channels("image_std", settings), strict=True))
        if not normalized:
            raise NotUnderstood("include_top without do_normalize is not understood")
    channels = "BGR" if flipped and settings["do_flip_channel_order"] else "RGB"
    return {"scale": scale, "mean": mean, "std": std, "channels": channels}


def _on(settings: Mapping[str, Any], key: str) -> bool:
    return bool(settings.get(key, True))


def _number(key: str, value: Any) -> float:
    if type(value) not in (int, float):
        raise NotUnderstood(f"{key} is {str(value)[:60]}")
    return float(value)


def _channels(key: str, settings: Mapping[str, Any]) -> tuple[float, ...]:
    """One number for each of three channels; one number alone is all channels'."""
    value = settings.get(key)
    listed = value if isinstance(value, list | tuple) else [value] * 3
    numbers = tuple(_number(key, part) for part in listed)
    if len(numbers) != 3 or (key == "image_std" and 0.0 in numbers):
        raise NotUnderstood(f"{key} is {str(value)[:60]}")
    return numbers
