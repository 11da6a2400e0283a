"""How a model's inputs are made, from the files beside it: tokenizer, image or audio settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from edgekit.inputs import unmade
from edgekit.model import AudioInput, ImageInput, Model, Preprocess, Tensor, TextInput
from edgekit.sources.facts import modules, timm_settings
from edgekit.sources.facts.files import optional_json
from edgekit.sources.facts.image_settings import NotUnderstood, as_spec, image_input, not_pillows

FEATURES: dict[str, Literal["ids", "mask", "types"]] = {
    "input_ids": "ids",
    "attention_mask": "mask",
    "token_type_ids": "types",
}
MAX_TOKENS = 128  # enough for a sentence; a longer text is cut
OFFSET = ("roberta", "xlm-roberta", "camembert", "mpnet")  # whose first two positions are of padding
SETTINGS = "preprocessor_config.json"
# transformers 5 writes the settings of all processors into one file.
ALL_SETTINGS, PARTS = "processor_config.json", ("image_processor", "feature_extractor")
VIDEO, VIDEO_SETTINGS = "video_processor", "video_preprocessor_config.json"
RECORDING = "Wav2Vec2FeatureExtractor"
RECORDING_KEYS = {
    "feature_extractor_type",
    "processor_class",
    "feature_size",
    "sampling_rate",
    "padding_value",
    "padding_side",
    "return_attention_mask",
    "do_normalize",
}


def infer(folder: Path, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The inputs with `preprocess` filled in wherever the folder's files say it and all of it is understood."""
    return tuple(tensor.model_copy(update={"preprocess": _made(folder, tensor)[0]}) for tensor in inputs)


def left_out(folder: Path, inputs: tuple[Tensor, ...]) -> tuple[str, ...]:
    """Which inputs the files speak of without being understood: a line each, with the file and the key."""
    reasons = ((tensor.name, _made(folder, tensor)[1]) for tensor in inputs)
    return tuple(f"{unmade.LINE.format(name=name)}{why}" for name, why in reasons if why)


def described(folder: Path, model: Model) -> Model:
    """The model with both."""
    inputs = infer(folder, model.inputs)
    return model.model_copy(update={"inputs": inputs, "left_out": (*model.left_out, *left_out(folder, model.inputs))})


def _made(folder: Path, tensor: Tensor) -> tuple[Preprocess | None, str]:
    """The preprocessing, and what of the files was not understood."""
    try:
        return _of(folder, tensor), ""
    except NotUnderstood as why:
        return None, str(why)


def _of(folder: Path, tensor: Tensor) -> Preprocess | None:
    if tensor.name in FEATURES and (folder / "tokenizer.json").is_file():
        return TextInput(feature=FEATURES[tensor.name], max_tokens=_max_tokens(folder))
    if len(tensor.shape) == 4 and tensor.dtype.startswith("float") and (cfg := _of_timm(folder)) is not None:
        return _timm(cfg, tensor)
    if tensor.name not in ("pixel_values", "input_values", "pixel_values_videos"):
        return None
    name, settings = _settings(folder)
    if settings is None:
        return None
    try:
        if tensor.name == "input_values":
            return _recording(settings, tensor)
        return _picture(settings, tensor, since_5=name == ALL_SETTINGS or _since_5(folder))
    except NotUnderstood as why:
        raise NotUnderstood(f"{name}: {why}") from None


def _settings(folder: Path) -> tuple[str, dict[str, Any] | None]:
    """The file that says how pictures or recordings are made, and what it says; None without one.

    Raises:
        NotUnderstood: two files say different things, or one is of a library whose settings are not read.
    """
    single = optional_json(folder / SETTINGS)
    parts = optional_json(folder / ALL_SETTINGS)
    nested = [value for key, value in parts.items() if key in PARTS and isinstance(value, dict)]
    if len(nested) > 1 or (nested and single):
        raise NotUnderstood(f"{ALL_SETTINGS}: several processors")
    if nested:
        return ALL_SETTINGS, nested[0]
    if VIDEO in parts or (not single and (folder / VIDEO_SETTINGS).is_file()):
        raise NotUnderstood(f"{f'{ALL_SETTINGS}: {VIDEO}' if VIDEO in parts else VIDEO_SETTINGS} is not read")
    return SETTINGS, single or None


def _of_timm(folder: Path) -> dict[str, Any] | None:
    """What timm says of its pictures in config.json; None where it does not, or a processor of transformers does."""
    cfg = optional_json(folder / "config.json").get(timm_settings.KEY)
    others = any((folder / name).is_file() for name in (SETTINGS, ALL_SETTINGS))
    return cfg if isinstance(cfg, dict) and not others else None


def _timm(cfg: dict[str, Any], tensor: Tensor) -> ImageInput:
    try:
        return _fitting(timm_settings.image_input(cfg, tensor.name), tensor)
    except NotUnderstood as why:
        raise NotUnderstood(f"config.json: {timm_settings.KEY}: {why}") from None


def _max_tokens(folder: Path) -> int:
    """Where a text is cut: as sentence-transformers does it where it says so, and never beyond the net's positions."""
    config = optional_json(folder / "config.json")
    positions = config.get("max_position_embeddings")
    limit = modules.max_tokens(folder) or MAX_TOKENS
    if type(positions) is not int or positions <= 0:
        return limit
    return max(1, min(limit, positions - (2 if config.get("model_type") in OFFSET else 0)))


def _since_5(folder: Path) -> bool:
    """Whether transformers 5 or newer saved the model, and so its processor."""
    saved_by = str(optional_json(folder / "config.json").get("transformers_version", ""))
    major = saved_by.partition(".")[0]
    return major.isdecimal() and int(major) >= 5


def _picture(settings: dict[str, Any], tensor: Tensor, *, since_5: bool) -> ImageInput:
    """A picture of the size that the processor gives, which must be the one that the graph takes."""
    form = _fitting(image_input(settings), tensor)
    if why := not_pillows(settings, form, since_5=since_5):
        raise NotUnderstood(f"{why}{unmade.NEAR}{as_spec(tensor.name, form)}")
    return form


def _fitting(made: ImageInput, tensor: Tensor) -> ImageInput:
    if len(tensor.shape) != 4:
        raise NotUnderstood(f"the processor makes 4 dimensions, the model takes {len(tensor.shape)}")
    wanted = (len(made.channels), made.height, made.width)
    if any(isinstance(dim, int) and dim not in (-1, size) for dim, size in zip(tensor.shape[1:], wanted, strict=True)):
        raise NotUnderstood(f"it makes {list(wanted)}, the model takes {list(tensor.shape[1:])}")
    return made


def _recording(settings: dict[str, Any], tensor: Tensor) -> AudioInput:
    """A mono recording as it is, or made of mean 0 and variance 1."""
    named, rate = settings.get("feature_extractor_type"), settings.get("sampling_rate")
    if named != RECORDING:
        raise NotUnderstood(f"feature_extractor_type is {str(named)[:60]}")
    unknown = next((key for key, value in settings.items() if key not in RECORDING_KEYS and value), None)
    if unknown is not None:
        raise NotUnderstood(f"{unknown} is not understood")
    if type(rate) is not int or rate <= 0:
        raise NotUnderstood(f"sampling_rate is {str(rate)[:60]}")
    if settings.get("feature_size", 1) != 1 or len(tensor.shape) != 2:
        raise NotUnderstood("feature_size is not 1")
    return AudioInput(sample_rate=rate, normalize=bool(settings.get("do_normalize", True)))
