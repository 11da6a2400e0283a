"""List the models of the catalogue, show one card, or write a card of your own."""

from __future__ import annotations

from pathlib import Path
from typing import cast, get_args

import click

from edgekit import console
from edgekit.commands import _catalog, _offered
from edgekit.commands._places import PLACE


class _Named(click.Group):
    """What is no command here is the name of a card: `edgekit models NAME`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands and not args[0].startswith("-"):
            return "show", self.commands["show"], args
        return super().resolve_command(ctx, args)


@click.group(cls=_Named, invoke_without_command=True, subcommand_metavar="[NAME | COMMAND ...]")
@click.pass_context
def command(ctx: click.Context) -> None:
    """List the models that `edgekit build NAME` knows; with NAME show all that its card says."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_)


@command.command("list")
def list_() -> None:
    """List the models of the catalogue."""
    from edgekit.catalog import cards
    from edgekit.data import jsonable

    shipped = [cards.load(known) for known in cards.names()]
    if console.json_mode():
        console.document("edgekit.models/1", [jsonable(card) for card in shipped])
        return
    _catalog.show(shipped)


@command.command("show")
@click.argument("name", shell_complete=_offered.models)
def show(name: str) -> None:
    """Show what is known of the model NAME, or of a card's .toml file, and what each target makes of it."""
    from edgekit.catalog import cards
    from edgekit.data import jsonable, pretty

    card = cards.load(name)
    if console.json_mode():
        built = {"targets": _catalog.targets(card)} if card.member else {}
        console.document("edgekit.models.show/1", jsonable(card) | built)
    elif card.member is None:
        console.page(pretty(jsonable(card)))
    else:
        _catalog.show_member(card)


@command.command("new")
@click.argument("name")
@click.argument("source")
@click.option("--input-spec", "inputs", multiple=True, help="How an input is made, as for edgekit build; repeatable.")
@click.option("--decode", help="How the outputs are read: classes, ctc, dbnet, yolov8 ... (as the model's files say).")
@click.option("--names", type=PLACE, help="A file with a class or character of the outputs a line.")
@click.option("--license", "license_", default="", help="SPDX identifier; of your own model it may be left out.")
@click.option("--task", help="The task of a model folder, where it cannot be inferred.")
@click.option("-o", "--output", "folder", type=PLACE, default=Path(), help="Where NAME.toml goes.")
@click.option("--force", is_flag=True, help="Replace a file of that name.")
def new(
    name: str,
    source: str,
    inputs: tuple[str, ...],
    decode: str | None,
    names: Path | None,
    license_: str,
    task: str | None,
    folder: Path,
    force: bool,
) -> None:
    """Write NAME.toml, a card of your own for SOURCE, a model as edgekit build takes it.

    It says how each input is made, with every default, and how outputs are read.
    """
    from edgekit import sources, strangers
    from edgekit.catalog import new as written
    from edgekit.catalog.cards import Decode
    from edgekit.errors import UsageError
    from edgekit.inputs.options import Array, parse
    from edgekit.sources import catalog

    if catalog.matches(source):
        raise UsageError(f"{source} is a card already", next=f"edgekit models {source} shows it")
    if decode is not None and decode not in get_args(Decode):
        raise UsageError(f"nothing is read as {decode!r}", next=f"one of: {', '.join(get_args(Decode))}")
    try:
        said = strangers.text(names, encoding="utf-8-sig") if names is not None else ""
        words = said.removesuffix("\n").split("\n") if names is not None else []
    except (OSError, ValueError) as error:
        raise UsageError(f"the names cannot be read: {error}", next="give a text file with a name a line") from None
    with console.step(f"opening {source}"):
        opened = sources.open_source(source, task=task)
    said_of = parse(inputs, opened.model)
    spoken = {name: form for name, form in said_of.items() if not isinstance(form, Array)}  # a card has no bare sizes
    read = cast(Decode, decode or opened.decode)
    how = name, source, opened.model, spoken, folder
    path = written.write(*how, decode=read, labels=words, license=license_, force=force)
    if console.json_mode():
        console.document("edgekit.models.new/1", {"path": str(path), "source": source})
        return
    console.out(f"written: {path}")
    console.out(f"next: edgekit explain {path} --calibration FOLDER, then edgekit build {path} --target linux-cpu")
