"""The files that a user gives to `edgekit run`: the calls of the model that they make."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgekit.data import nearest
from edgekit.errors import SourceError, UsageError
from edgekit.inputs import arrays
from edgekit.inputs.calibration import KEPT, SUFFIXES, items
from edgekit.inputs.feeds import Feed, check
from edgekit.inputs.streams import fixed, initial
from edgekit.model import Model


def feeds(model: Model, words: Sequence[str], path: Path) -> list[Feed]:
    """The calls of the model, in their order; states begin at zero and are the runtime's to carry on.

    Args:
        words: FILE, each giving one call or more (a recording's windows, a text's lines); or NAME=FILE for single
            inputs, which together make one call.
        path: the bundle's .onnx file; a tokenizer.json lies beside it.

    Raises:
        UsageError: a file of no known kind, an unknown input (the nearest is suggested), the two forms mixed.
        SourceError: a file that is missing or broken, or that does not fit the model.
    """
    named = [_named(word, model) for word in words]
    if all(name for name, _ in named):
        calls = [{name: _single(model, name, file, path) for name, file in named}]
    elif any(name for name, _ in named):
        raise UsageError("some inputs are named and some are not", next="name all of them: --input NAME=FILE")
    else:
        calls = [
            call() for _, file in named for _, stream in items(_form(file), [file], model, path) for call in stream
        ]
    if not calls:
        raise UsageError("the files hold nothing to feed", next=f"give {KEPT}")
    complete = [{**fixed(model), **initial(model), **call} for call in calls]
    check(complete[0], model, "what --input gives")
    return complete


def _named(word: str, model: Model) -> tuple[str, Path]:
    """NAME=FILE as both, FILE with an empty name; a file may itself hold a "=" in its name."""
    known = [one.name for one in model.inputs]
    name, equals, rest = word.partition("=")
    if equals and name in known:
        return name, Path(rest)
    if equals and not Path(word).exists():
        raise UsageError(f"the model has no input {name!r}{nearest(name, known)}", next=f"one of: {', '.join(known)}")
    return "", Path(word)


def _single(model: Model, name: str, file: Path, path: Path) -> NDArray[Any]:
    """The array that a file makes for one input."""
    form = _form(file)
    if form == "array" and file.suffix.lower() == ".npy":
        return arrays.load(file, [name])[name]
    alone = model.model_copy(update={"inputs": tuple(one for one in model.inputs if one.name == name)})
    found = [call for _, stream in items(form, [file], alone, path) for call in stream]
    feed = found[0]() if found else {}
    if name not in feed:
        raise SourceError(
            f"{file.name} holds nothing for the input {name!r}", next=f"it has {', '.join(feed) or 'nothing'}"
        )
    return feed[name]


def _form(file: Path) -> str:
    if not file.is_file():
        raise SourceError(f"there is no file {file}", next="check the path")
    for form, suffixes in SUFFIXES.items():
        if file.suffix.lower() in suffixes:
            return form
    raise UsageError(f"{file.name} is no input that edgekit reads", next=f"give {KEPT}")
