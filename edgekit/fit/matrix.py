"""What each target makes of a model of the catalogue: asked of the plan, which refuses what cannot be built."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgekit import plan, target
from edgekit.catalog import member
from edgekit.catalog.cards import Card
from edgekit.errors import EdgekitError, SourceError
from edgekit.model import Model
from edgekit.plan import Plan
from edgekit.sources.facts import architectures
from edgekit.target import Target

UNKNOWN = "the sizes of its decoder are not published"


@dataclass(frozen=True)
class Answer:
    """What a target makes of a member.

    Attributes:
        answer: all of it, only what reads text, or nothing.
        recipe: the default one; empty where nothing is built.
        precision: that the recipe gives.
        reason: of anything but "builds"; otherwise what a reader of the plan must know.
        next: what to do instead.
    """

    target: str
    status: str
    answer: architectures.Answer
    recipe: str = ""
    precision: str = ""
    reason: str = ""
    next: str = ""


def described(card: Card) -> Model:
    """The model of a card, as its checkpoint would be described.

    Raises:
        SourceError: nothing can be built of its class, or its card does not know its sizes.
    """
    if card.member is None:
        raise SourceError(f"{card.name} is no language model of a family", next="edgekit models names them")
    architectures.check(card.member.decoder.architecture)
    model = member.model(card.name, card.member, card.license)
    if model is None:
        raise SourceError(f"{card.name}: {UNKNOWN}", next="give a folder with its config.json")
    return model


def planned(card: Card, into: Target) -> tuple[Model, Plan]:
    """The card's model and its plan for a target.

    Raises:
        EdgekitError: as the plan refuses it.
    """
    model = described(card)
    return model, plan.make(model, into, card=card)


def answers(card: Card, targets: Iterable[str] | None = None) -> list[Answer]:
    """What each target makes of a member of the catalogue; by default all that ship."""
    return [_answer(card, target.load(name)) for name in (target.names() if targets is None else targets)]


def _answer(card: Card, into: Target) -> Answer:
    assert card.member is not None
    row = architectures.of(card.member.decoder.architecture)
    try:
        _, made = planned(card, into)
    except EdgekitError as error:
        reason = row.reason if row.answer == "no" else error.message
        return Answer(into.name, into.status, "no", reason=reason, next=error.next)
    return Answer(into.name, into.status, row.answer, made.main.recipe, made.main.precision, reason=row.reason)
