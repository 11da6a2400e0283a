"""A card of one's own, written: where the model is, how its inputs are made, how its outputs are read."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit import output
from edgekit.catalog import cards
from edgekit.catalog.cards import Decode
from edgekit.errors import SourceError
from edgekit.model import Model, Preprocess

BEGUN = """\
# A card of your own, for edgekit build {name}.toml: how inputs are made and how outputs are read. A line that begins
# with # is what holds by default. `edgekit explain {name}.toml --calibration FOLDER` shows the inputs.
"""
UNSAID = """
# Nobody says how files become {key}; .npz files with the array itself always work. Of a picture:
# [inputs.{key}]
# kind = "image"
"""


def write(
    name: str,
    ref: str,
    model: Model,
    spoken: Mapping[str, Preprocess],
    folder: Path,
    *,
    decode: Decode = "none",
    labels: Sequence[str] = (),
    license: str = "",
    force: bool = False,
) -> Path:
    """Write folder/NAME.toml and return its path; the card was read back.

    Args:
        ref: the model, as a user names it; a path is written relative to the card.
        spoken: how inputs are made; of the others the model's own files say it, or nobody.
        labels: names of the outputs' last axis, in their order.

    Raises:
        SourceError: the name is taken or no name, the file exists, or the card would not be read.
        UsageError: the file cannot be written.
    """
    name = name.removesuffix(".toml")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        raise SourceError(f"{name!r} is no name for a card", next="use small letters, digits, dots and dashes")
    if name in cards.names():
        raise SourceError(f"{name} is a model of the catalogue", next="choose another name")
    path = folder / f"{name}.toml"
    if os.path.lexists(path) and not force:
        raise SourceError(f"{path} exists", next="choose another name, or give --force")
    at = os.path.relpath(Path(ref).resolve(), folder.resolve()) if Path(ref).exists() else ref
    facts = {"name": name, "title": model.name, "ref": at, "license": license, "kind": model.kind, "task": model.task}
    lines = [BEGUN.format(name=name), *(_line(key, value) for key, value in facts.items() if value)]
    if model.inputs:
        lines.append(_line("decode", decode))
        lines += [
            part for tensor in model.inputs for part in _input(tensor.name, spoken.get(tensor.name, tensor.preprocess))
        ]
        lines += ["\n[labels]\n", _line("values", tuple(labels))] if labels else []
    output.write(path, "".join(lines))
    cards.load(str(path))
    return path


def _input(name: str, form: Preprocess | None) -> list[str]:
    """One input's table: what is set, and behind it what is so by default."""
    key = name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)
    if form is None:
        return [UNSAID.format(key=key)]
    fields = [(field, value) for field, value in form if field != "kind"]
    said = [_line(field, value) for field, value in fields if field in form.model_fields_set]
    kept = [
        f"# {_line(field, value)}"
        for field, value in fields
        if field not in form.model_fields_set and value is not None
    ]
    return [f"\n[inputs.{key}]\n", _line("kind", form.kind), *said, *kept]


def _line(key: str, value: Any) -> str:
    return f"{key} = {_toml(value)}\n"


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
