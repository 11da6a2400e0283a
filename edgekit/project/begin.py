"""The first edgekit.toml: what lies in a folder, and a text with a comment for what is mostly wanted next."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

MODELS = (".onnx", ".gguf")
HEAD = """\
# What this project builds: `edgekit build` builds every model for every target, `edgekit status` says what is stale.
# Paths are relative to this file; `edgekit init --schema` prints every key. Keep edgekit.lock in version control.
format = "1.0"
targets = [{targets}]
"""
MODEL = """
[models.{key}]
source = {source}
# recipe = "int8_qdq"                         # edgekit build SOURCE --target T --dry-run names the one that is chosen
# calibration = "data/{name}"                 # pictures, recordings, texts or arrays like those the app will see
# limits = {{ "cosine_mean" = {{ min = 0.99 }} }}   # stricter than the gate's own; edgekit quality has the metrics
# on.android-cpu.recipe = "fp16"              # what is otherwise on one target
"""


def models_in(folder: Path) -> dict[str, str]:
    """The models that lie in a folder, by a name for each: .onnx and .gguf files, folders with a config.json."""
    models: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        is_model = (path.suffix in MODELS and path.is_file()) or (path / "config.json").is_file()
        if is_model and not path.name.startswith("."):
            models.setdefault(slug(path.name), path.name)
    return models


def slug(ref: str) -> str:
    """A name for the model of a reference."""
    last = re.split(r"[/#]", ref.removesuffix("/"))[-1].partition("@")[0]
    stem = Path(last).stem if last.endswith(MODELS) else last
    return re.sub(r"[^a-z0-9_.-]+", "-", stem.removeprefix("hf:").lower()).strip("-.") or "model"


def text(models: Mapping[str, str], targets: Sequence[str]) -> str:
    """The file's text for these models, by name, and targets."""
    parts = [MODEL.format(key=_key(name), name=name, source=_quoted(ref)) for name, ref in models.items()]
    return HEAD.format(targets=", ".join(map(_quoted, targets))) + "".join(parts)


def _quoted(word: str) -> str:
    return json.dumps(word, ensure_ascii=False)  # a TOML basic string has JSON's escapes


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quoted(name)
