"""List the models of the catalogue, or show one card."""

from __future__ import annotations

import click

from edgekit import console


@click.command()
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """List the models that `edgekit build NAME` knows, or show all that the card NAME says."""
    from edgekit.catalog import cards
    from edgekit.data import jsonable, pretty

    if name is not None:
        card = jsonable(cards.load(name))
        if console.json_mode():
            console.document("edgekit.models.show/1", card)
        else:
            console.out(pretty(card).rstrip())
        return
    found = [cards.load(known) for known in cards.names()]
    if console.json_mode():
        console.document("edgekit.models/1", [jsonable(card) for card in found])
        return
    rows = [(card.name, card.title, card.kind, card.licence, f"{card.download_bytes / 1e6:.1f} MB") for card in found]
    console.table("", ("model", "title", "kind", "licence", "download"), rows, right=(4,))
