"""How a model's inputs are made, from the files beside it: tokenizer, image or audio settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from edgekit.model import AudioInput, ImageInput, Preprocess, Tensor, TextInput
from edgekit.sources.facts.files import optional_json

FEATURES: dict[str, Literal["ids", "mask", "types"]] = {
    "input_ids": "ids",
    "attention_mask": "mask",
    "token_type_ids": "types",
}
MAX_TOKENS = 128  # enough for a sentence; a longer text is cut


def infer(folder: Path, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The inputs with `preprocess` filled in wherever the folder's files say it."""
    settings = optional_json(folder / "preprocessor_config.json")
    return tuple(one.model_copy(update={"preprocess": _of(folder, settings, one)}) for one in inputs)


def _of(folder: Path, settings: dict[str, Any], tensor: Tensor) -> Preprocess | None:
    if tensor.name in FEATURES and (folder / "tokenizer.json").is_file():
        return TextInput(feature=FEATURES[tensor.name], max_tokens=_max_tokens(folder))
    if tensor.name == "pixel_values":
        return _image(settings)
    rate = settings.get("sampling_rate")
    if tensor.name == "input_values" and type(rate) is int and len(tensor.shape) == 2:
        return AudioInput(sample_rate=rate)
    return None


def _max_tokens(folder: Path) -> int:
    positions = optional_json(folder / "config.json").get("max_position_embeddings")
    return min(MAX_TOKENS, positions) if type(positions) is int and positions > 0 else MAX_TOKENS


def _image(settings: dict[str, Any]) -> ImageInput | None:
    """A fixed size, stretched, or the centre cut out after scaling. Anything else is not guessed."""
    size, crop = settings.get("size"), settings.get("crop_size")
    cropped = bool(settings.get("do_center_crop")) and isinstance(crop, dict)
    chosen = crop if cropped else size
    if not isinstance(chosen, dict) or type(chosen.get("height")) is not int or type(chosen.get("width")) is not int:
        return None
    rescaled = settings.get("do_rescale", True)
    normalized = settings.get("do_normalize", True)
    return ImageInput(
        height=chosen["height"],
        width=chosen["width"],
        fit="crop-center" if cropped else "stretch",
        scale=float(settings.get("rescale_factor", 1 / 255)) if rescaled else 1.0,
        mean=tuple(settings.get("image_mean", (0.0,))) if normalized else (0.0,),
        std=tuple(settings.get("image_std", (1.0,))) if normalized else (1.0,),
    )
