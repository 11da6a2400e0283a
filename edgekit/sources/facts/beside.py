"""What of a model's folder no bundle gets, and what in it would be loaded in place of what was hashed."""

from __future__ import annotations

from pathlib import Path

from edgekit.errors import SourceError
from edgekit.sources.facts import modules, safetensors
from edgekit.sources.facts.files import optional_json

ADAPTER = "adapter_config.json"
# Other forms of the same weights, as exporters and the hub lay them beside.
TWINS = (
    *("pytorch_model*.bin", "tf_model*.h5", "flax_model*.msgpack", "rust_model.ot", "consolidated*", "*.gguf"),
    *("onnx/*.onnx", "openvino/*.xml", "coreml/*", "original/*", "*.tflite", "*.ckpt", "*.pth"),
)
PROCESSORS = (
    *("video_preprocessor_config.json", "audio_preprocessor_config.json", "feature_extractor_config.json"),
    *("image_processor_config.json", "audio_config.json", "audio_tokenizer_config.json"),
)
SHOWN = 6  # names of a line


def refuse(folder: Path) -> None:
    """Refuse a folder of which an engine would load other weights than its index, its digest and its facts are of.

    Raises:
        SourceError: an adapter beside the weights, for which transformers loads the adapter's own base; weights in one
            file and in shards, of which it takes the first.
    """
    if (folder / ADAPTER).is_file():
        raise SourceError(
            f"{folder.name} holds {described(folder)}: transformers would load that base, not the weights beside it",
            next=f"move {ADAPTER} and adapter_model.safetensors to a folder of their own, and give that with "
            "--adapter NAME=FOLDER, or leave it out",
        )
    if (folder / safetensors.INDEX).is_file() and (folder / safetensors.SINGLE).is_file():
        others = [name for name in safetensors.shards(folder) if name != safetensors.SINGLE]
        if others:
            raise SourceError(
                f"{folder.name} holds weights twice: {safetensors.SINGLE}, and {len(others)} shards that "
                f"{safetensors.INDEX} names",
                next=f"remove the older ones: {safetensors.SINGLE}, or the index with its shards",
            )


def described(folder: Path) -> str:
    """ "an adapter (LORA of org/base)"."""
    config = optional_json(folder / ADAPTER)
    kind, base = config.get("peft_type") or "of no kind", config.get("base_model_name_or_path") or "no named base"
    return f"an adapter ({str(kind)[:20]} of {str(base)[:80]})"


def left_out(folder: Path) -> tuple[str, ...]:
    """What else lies in the folder, a line for each kind."""
    lines = []
    read = set(safetensors.shards(folder)) if (folder / safetensors.INDEX).is_file() else {safetensors.SINGLE}
    twins = {path for pattern in TWINS for path in folder.glob(pattern) if path.is_file()}
    twins |= {path for path in folder.glob("*.safetensors") if path.name not in read}
    if twins:
        lines.append(f"weights that are not read: {_names(folder, twins)}")
    if processors := {folder / name for name in PROCESSORS if (folder / name).is_file()}:
        lines.append(f"processors that are not read: {_names(folder, processors)}")
    if templates := set(folder.glob("additional_chat_templates/*.jinja")):
        lines.append(f"chat templates besides the default: {_names(folder, templates)}")
    return (*lines, *modules.remarks(folder))


def _names(folder: Path, paths: set[Path]) -> str:
    names = sorted(path.relative_to(folder).as_posix() for path in paths)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
