"""How fast a model answers on a device: published figures, and what is predicted of CPUs from half of these."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from edgekit.catalog import cards, device, member
from edgekit.catalog.device import Device, Published
from edgekit.model import Model
from edgekit.predict import roofline
from edgekit.results import metrics

Quantity = str
DECODE, FIRST = metrics.DECODE_TPS.name, "ttft_s"
WITHIN: dict[Quantity, float] = {DECODE: 1.5, FIRST: 2.0}  # the factor that a prediction may be off by
PROMPT = 512  # tokens, of a time to the first token


@dataclass(frozen=True)
class Figure:
    """A published figure of a CPU, and the ideal it is held against.

    Attributes:
        ideal: what the device would reach at full bandwidth, or at one operation a cycle; None where a fact lacks.
        fitted: it is one of those that the coefficient comes from.
        predicted: of the others; None where a fact of the device is not published.
    """

    device: str
    model: str
    quantity: Quantity
    measured: float
    ideal: float | None
    source: str
    fitted: bool = False
    predicted: float | None = None

    @property
    def factor(self) -> float | None:
        """How far the prediction is off."""
        return None if self.predicted is None else roofline.factor(self.predicted, self.measured)


@dataclass(frozen=True)
class Estimate:
    """A figure for a model on a device, and what it rests on."""

    quantity: Quantity
    value: float | None
    how: Literal["published", "estimated", "unknown"]
    note: str


def weights_read(model: Model) -> int:
    """Of a token of an answer."""
    assert model.llm is not None
    ends = model.llm.vocab_size * model.llm.hidden_size
    return roofline.read_weights(model.parameters, ends, model.llm.tied_embeddings)


@cache
def coefficients() -> dict[Quantity, float | None]:
    """The share of its ideal that a CPU reaches, from every second published figure."""
    known: dict[Quantity, list[tuple[float, float]]] = {DECODE: [], FIRST: []}
    for figure in _split():
        if figure.fitted and figure.ideal is not None:
            known[figure.quantity].append((figure.measured, figure.ideal))
    return {
        quantity: roofline.share([pair[0] for pair in pairs], [pair[1] for pair in pairs])
        for quantity, pairs in known.items()
    }


def figures() -> list[Figure]:
    """All published figures of CPUs: those that the coefficients come from, and the predictions of the others."""
    shares = coefficients()
    return [
        figure
        if figure.fitted or figure.ideal is None or shares[figure.quantity] is None
        else Figure(**{**vars(figure), "predicted": figure.ideal * (shares[figure.quantity] or 0.0)})
        for figure in _split()
    ]


@cache
def trusted(quantity: Quantity) -> bool:
    """Whether the predictions of the figures that were not fitted are good enough: 80 % of them within the factor."""
    off = [figure.factor for figure in figures() if figure.quantity == quantity and figure.factor is not None]
    return bool(off) and sum(each <= WITHIN[quantity] for each in off) >= 0.8 * len(off)


@cache
def _split() -> tuple[Figure, ...]:
    """By device, model and quantity; every second of a quantity is fitted."""
    ordered = sorted(_all(), key=lambda figure: (figure.quantity, figure.device, figure.model))
    split, seen = [], {DECODE: 0, FIRST: 0}
    for figure in ordered:
        split.append(Figure(**{**vars(figure), "fitted": seen[figure.quantity] % 2 == 0}))
        seen[figure.quantity] += 1
    return tuple(split)


def _all() -> Iterator[Figure]:
    for each in device.devices():
        for said in each.published:
            if said.where == "cpu":
                yield from _of(each, said)


def _of(on: Device, said: Published) -> Iterator[Figure]:
    card = cards.load(said.model)
    assert card.member is not None
    model = member.model(card.name, card.member)
    assert model is not None
    if said.decode_tps is not None:
        yield Figure(on.title, said.model, DECODE, said.decode_tps, _decode(on, model, said), said.source)
    if said.prefill_tps is not None and said.prompt is not None:
        ideal = ideal_ttft(on, model, said.prompt)
        yield Figure(on.title, said.model, FIRST, said.prompt / said.prefill_tps, ideal, said.source)


def _decode(on: Device, model: Model, said: Published) -> float | None:
    size = weights_read(model) * roofline.BITS[said.precision] / 8
    return None if on.bandwidth is None else roofline.ideal_decode_tps(size, 0, on.bandwidth.gb_per_s * 1e9)


def ideal_ttft(on: Device, model: Model, prompt: int) -> float | None:
    """Seconds of a prompt at one operation a cycle; None where the cores are not published."""
    cycles = on.cycles_per_s
    return None if cycles is None else prompt / roofline.ideal_prefill_tps(weights_read(model), cycles)


def estimates(
    on: Device | None, name: str, model: Model, weight_bytes: int, cache_bytes: int, *, cpu: bool
) -> list[Estimate]:
    """Decode and time to the first token of a model on a device's CPU, and what is published of its accelerators.

    Args:
        weight_bytes: that the bundle's graph holds; those that an answer reads are taken in proportion.
        cache_bytes: of the key-value cache at the length that is asked for, half of which is read on average.
        cpu: the bundle runs there; an accelerator's speed is not estimated.
    """
    if on is None:
        return [Estimate(quantity, None, "unknown", "no device is named") for quantity in WITHIN]
    told = list(_published(on, name))
    if not cpu:
        note = "the target's accelerator: only what is published"
        return [*told, *(Estimate(quantity, None, "unknown", note) for quantity in WITHIN)]
    return [*told, *(_estimate(quantity, on, model, weight_bytes, cache_bytes) for quantity in WITHIN)]


def _published(on: Device, name: str) -> Iterator[Estimate]:
    for said in on.published:
        if said.model != name:
            continue
        what = f"on its {said.where}, {said.engine}, {said.precision}{f'; {said.note}' if said.note else ''}"
        if said.decode_tps is not None:
            yield Estimate(DECODE, said.decode_tps, "published", f"{what}: {said.source}")
        if said.prefill_tps is not None and said.prompt is not None:
            seconds = said.prompt / said.prefill_tps
            yield Estimate(FIRST, seconds, "published", f"{said.prompt} tokens, {what}: {said.source}")


def _estimate(quantity: Quantity, on: Device, model: Model, weight_bytes: int, cache_bytes: int) -> Estimate:
    coefficient = coefficients()[quantity]
    if coefficient is None or not trusted(quantity):
        return Estimate(quantity, None, "unknown", "predictions of published figures are not good enough")
    if quantity == DECODE:
        if on.bandwidth is None:
            return Estimate(quantity, None, "unknown", f"the memory bandwidth of {on.title} is not published")
        read = weight_bytes * weights_read(model) / model.parameters
        best = roofline.ideal_decode_tps(read, cache_bytes / 2, on.bandwidth.gb_per_s * 1e9)
        note = f"{coefficient:.0%} of {on.bandwidth.gb_per_s:g} GB/s ({on.bandwidth.source})"
        return Estimate(quantity, best * coefficient, "estimated", f"on its cpu, {note}")
    ideal = ideal_ttft(on, model, PROMPT)
    if ideal is None or on.cpu is None:
        return Estimate(quantity, None, "unknown", f"the cores of {on.title} are not published")
    note = f"{PROMPT} tokens, on its cpu, {1 / coefficient:.0f} operations a cycle of its cores ({on.cpu.source})"
    return Estimate(quantity, ideal * coefficient, "estimated", note)
