"""Which members of the catalogue suit a task on a device, best first, with reasons; and why the others do not."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgekit.catalog import cards
from edgekit.catalog.cards import Card
from edgekit.catalog.device import Device
from edgekit.catalog.member import Benchmark, Member, Task
from edgekit.errors import EdgekitError
from edgekit.fit import estimate, matrix
from edgekit.fit.estimate import Fit
from edgekit.sources.facts import architectures
from edgekit.target import Target

# What a task is compared by, the first that a card has; figures of different setups, so they come after the guide.
COMPARED: dict[Task, tuple[Benchmark, ...]] = {
    "chat": ("MMLU",),
    "reasoning": ("AIME 2024", "GPQA", "GPQA Diamond", "MMLU"),
    "math": ("AIME 2024", "MATH", "GSM8K"),
    "code": ("HumanEval",),
    "multilingual": ("MGSM",),
    "vision": (),
    "speech": (),
    "function-calling": (),
}
NEEDS = {"vision": "pictures", "speech": "speech"}
PLACES = {1: "named for it by the family's guide", 2: "suits it too", 3: "an older or another family's model"}


@dataclass(frozen=True)
class Choice:
    """A member for a task: what it takes, and why it stands where it stands or is left out."""

    name: str
    fit: Fit | None = None
    reasons: tuple[str, ...] = ()
    order: tuple[float, ...] = field(default=(), compare=False)


def recommend(
    task: Task,
    into: Target,
    on: Device | None = None,
    ram: int | None = None,
    context: int | None = None,
    min_tps: float | None = None,
) -> tuple[list[Choice], list[Choice]]:
    """The members that suit, best first, and those that do not."""
    suited: list[Choice] = []
    left: list[Choice] = []
    for name in cards.names():
        card = cards.load(name)
        if card.member is None or task not in card.member.tasks:
            continue
        choice, suits = _choice(card, card.member, task, into, on, ram, context, min_tps)
        (suited if suits else left).append(choice)
    return sorted(suited, key=lambda each: each.order), sorted(left, key=lambda each: each.name)


def _choice(
    card: Card,
    it: Member,
    task: Task,
    into: Target,
    on: Device | None,
    ram: int | None,
    context: int | None,
    min_tps: float | None,
) -> tuple[Choice, bool]:
    row = architectures.of(it.decoder.architecture)
    if row.answer == "text part" and NEEDS.get(task) in it.reads:
        return Choice(card.name, reasons=(f"only its text part is built: {row.reason}",)), False
    try:
        model = matrix.described(card)
        taken = estimate.fit(model, card, on, ram, into, context)
    except EdgekitError as error:
        return Choice(card.name, reasons=(error.message,)), False
    if taken.fits == "no":
        return Choice(card.name, taken, taken.reasons), False
    tps = taken.decode_tps
    if min_tps is not None and tps is not None and tps < min_tps:
        return Choice(card.name, taken, (f"{tps:.3g} tokens/s, {min_tps:g} are asked for",)), False
    reasons = [PLACES[it.tasks[task]]]
    if min_tps is not None and tps is None:
        reasons.append("its speed there is unknown")
    score = next((each for name in COMPARED[task] for each in it.scores if each.benchmark == name), None)
    if score is not None:
        reasons.append(f"{score.benchmark} {score.value:g} % (published)")
    if taken.fits == "unknown":
        reasons.append("whether it fits is unknown")
    order = (taken.fits != "yes", min_tps is not None and tps is None, it.tasks[task], score is None)
    ranked = (*map(float, order), -(score.value if score else 0.0), float(taken.bundle))
    return Choice(card.name, taken, (*reasons, *taken.reasons), ranked), True
