"""Show how files become a model's inputs: each value, where it comes from, and what the model sees."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit import console
from edgekit.commands import _offered
from edgekit.commands._places import PLACE

if TYPE_CHECKING:
    from edgekit.inputs.explained import Seen, Told
    from edgekit.sources.source import Source


SHOWN = 8  # names of classes


@click.command()
@click.argument("source", shell_complete=_offered.models)
@click.option("--calibration", type=PLACE, help="Folder of pictures, .wav, .npz or .npy inputs.")
@click.option("--input-spec", "inputs", multiple=True, help="How an input is made, as for edgekit build; repeatable.")
@click.option("--count", type=click.IntRange(min=1), default=8, show_default=True, help="Files that are shown.")
@click.option("-o", "--output", "out", type=PLACE, default=Path("explained"), show_default=True)
@click.option("--task", help="The task of a model folder, where it cannot be inferred.")
@click.option("--trust-remote-code", is_flag=True, help="Let code that lies beside the weights run.")
def command(
    source: str,
    calibration: Path | None,
    inputs: tuple[str, ...],
    count: int,
    out: Path,
    task: str | None,
    trust_remote_code: bool,
) -> None:
    """Show how pictures, sound and texts become the inputs of SOURCE, a model as edgekit build takes it.

    With --calibration the inputs that its first files become are written back as pictures to look at: what is cut off,
    stretched, turned or of another colour there is so for the model.
    """
    from edgekit import output, sources
    from edgekit.data import jsonable
    from edgekit.inputs import explained
    from edgekit.inputs.options import described, parse

    with console.step(f"opening {source}"):
        opened = sources.open_source(source, task=task, trust_remote_code=trust_remote_code)
    spoken = parse(inputs, opened.model)
    model = described(opened.model, spoken)
    told = explained.inputs(model, {**_origins(opened), **dict.fromkeys(spoken, "--input-spec")})
    made: list[tuple[Seen, Path | None]] = []
    if calibration is not None:
        for shown in explained.seen(calibration, model, opened.path, count):
            path = _place(out, shown, several=len(model.inputs) > 1) if shown.picture is not None else None
            if path is not None and shown.picture is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                with output.file(path) as new:
                    shown.picture.save(new, format="PNG")
            made.append((shown, path))
    if console.json_mode():
        files = [_plain(shown, path) for shown, path in made]
        said = {"inputs": [jsonable(entry) for entry in told], "outputs": _outputs(opened)}
        data = {"model": model.name, **said, "files": files}
        console.document("edgekit.explain/1", data)
        return
    for entry in told:
        _show(entry)
    console.out(_read(**_outputs(opened)))
    _show_files(made)


def _outputs(opened: Source) -> dict[str, Any]:
    """How the outputs are read, the names of what they tell apart, and why a detector's are not read."""
    from edgekit.sources.facts import detectors

    names = opened.labels.removesuffix("\n").split("\n") if opened.labels else []
    unread = opened.decode == "none" and opened.form == "onnx"
    why = detectors.layout(opened.path, opened.model, opened.names)[1] if unread else ""
    return {"decode": opened.decode, "names": names, "why": why}


def _read(decode: str, names: list[str], why: str) -> str:
    if decode == "none":
        return f"outputs: numbers that nobody says how to read{f' ({why})' if why else ''}; a card's decode says it"
    shown = ", ".join(names[:SHOWN]) + (" ..." if len(names) > SHOWN else "")
    return f"outputs: read as {decode}" + (f", of {len(names)} names: {shown}" if names else "")


def _origins(opened: Source) -> dict[str, str]:
    """Who describes each input: the card, or a file beside the model."""
    from edgekit.model import TextInput
    from edgekit.sources.facts import preprocess

    carded = opened.card.inputs if opened.card is not None else {}
    named = f"the card {opened.card.name}" if opened.card is not None else ""
    files = [name for name in (preprocess.SETTINGS, preprocess.ALL_SETTINGS) if (opened.path.parent / name).is_file()]
    return {
        tensor.name: named
        if tensor.name in carded
        else f"inferred from {opened.inferred[tensor.name]}"
        if tensor.name in opened.inferred
        else "tokenizer.json"
        if isinstance(tensor.preprocess, TextInput)
        else " and ".join(files) or "the model's files"
        for tensor in opened.model.inputs
    }


def _place(out: Path, shown: Seen, *, several: bool) -> Path:
    words = [Path(shown.file).with_suffix("").as_posix(), *([shown.input] if several else [])]
    return out / (re.sub(r"[^\w.-]+", "-", ".".join(words)) + ".png")


def _plain(shown: Seen, path: Path | None) -> dict[str, Any]:
    figures = {"shape": list(shown.shape), "min": shown.least, "max": shown.most, "mean": shown.mean}
    return {"file": shown.file, "input": shown.input, **figures, "picture": str(path) if path is not None else None}


def _show(entry: Told) -> None:
    shape = " x ".join("?" if size is None else str(size) for size in entry.shape) or "scalar"
    console.out(f"{entry.name}: {entry.dtype} {shape}, made of {entry.kind or 'what a caller gives'}")
    console.out(f"  {entry.how}")
    if entry.values:
        console.table("", ("value", "is", "from"), [(said.key, said.value, said.origin) for said in entry.values])


def _show_files(made: list[tuple[Seen, Path | None]]) -> None:
    if not made:
        return
    rows = [
        (
            shown.file,
            shown.input,
            "x".join(map(str, shown.shape)),
            f"{shown.least:.4g} .. {shown.most:.4g}, mean {shown.mean:.4g}",
            str(path) if path is not None else "",
        )
        for shown, path in made
    ]
    console.table("what the model gets", ("file", "input", "shape", "values", "as a picture"), rows)
