"""The catalogue for people: all models, and all that is known of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from edgekit import console

if TYPE_CHECKING:
    from edgekit.catalog.cards import Card
    from edgekit.catalog.member import Decoder, Member


def show(shipped: Sequence[Card]) -> None:
    """Language models by family, then what else there is."""
    members = sorted((card for card in shipped if card.member), key=_order)
    rows = [_row(card, card.member) for card in members if card.member]
    console.table("", ("language model", "parameters", "context", "for", "built", "license"), rows, right=(1, 2))
    others = [card for card in shipped if card.member is None]
    rows = [(card.name, card.title, card.kind, card.license, f"{card.download_bytes / 1e6:.1f} MB") for card in others]
    console.table("", ("other model", "title", "kind", "license", "download"), rows, right=(4,))
    console.out("edgekit models show NAME: facts, scores with their sources, targets; edgekit recommend --task chat")


def _order(card: Card) -> tuple[bool, str, int]:
    assert card.member is not None
    return not card.member.family.startswith("Phi"), card.member.family, card.member.decoder.parameters


def _row(card: Card, it: Member) -> tuple[str, ...]:
    from edgekit.sources.facts import architectures

    context = f"{it.decoder.context_length:,}" if it.decoder.context_length else "unknown"
    answer = architectures.of(it.decoder.architecture).answer
    return card.name, parameters(it.decoder.parameters), context, ", ".join(it.tasks), answer, card.license


def parameters(count: int) -> str:
    """For people: 3.84 B, 135 M."""
    return f"{count / 1e9:.3g} B" if count >= 995 * 10**6 else f"{count / 1e6:.3g} M"


def targets(card: Card) -> list[dict[str, Any]]:
    """What each target makes of a member, as plain data."""
    from edgekit.fit import matrix

    return [{key: value for key, value in asdict(each).items() if value} for each in matrix.answers(card)]


def show_member(card: Card) -> None:
    """All that is known of a language model."""
    it = card.member
    assert it is not None
    console.out(f"{card.title}: {it.strengths}")
    for key, value in _facts(card, it):
        console.out(f"  {key:<18}{value}")
    scores = [(score.benchmark, f"{score.value:g}", score.how, score.source) for score in it.scores]
    if scores:
        console.table("Published scores, in percent", ("benchmark", "score", "how", "read in"), scores, right=(1,))
    else:
        console.out("Published scores: none with a source that could be read")
    for defect in it.defects:
        console.out(f"defect: {defect.what}; {defect.repair}")
    rows = [
        (each["target"], each["answer"], each.get("recipe", ""), each["status"], each.get("reason", ""))
        for each in targets(card)
    ]
    console.table("Targets, as the plan answers", ("target", "built", "recipe", "status", "because"), rows)


def _facts(card: Card, it: Member) -> Iterator[tuple[str, str]]:
    yield "for", ", ".join(it.tasks)
    yield from ((key, text) for key, text in (("uses", it.uses), ("weak at", it.weak)) if text)
    yield "reads", ", ".join(it.reads)
    yield "source", card.ref or "nobody can download it"
    if card.stand_in is not None:
        yield "where that fails", f"{card.stand_in.ref}: {card.stand_in.what}"
    yield "license", f"{card.license} ({card.license_url})"
    yield "template", it.template
    if card.sampling is not None:
        yield "sampling", ", ".join(f"{name} {value:g}" for name, value in card.sampling if value is not None)
    yield from _sizes(it.decoder)
    yield "facts read in", it.decoder.source


def _sizes(it: Decoder) -> Iterator[tuple[str, str]]:
    text = f", of its text part {it.text_parameters:,}" if it.text_parameters else ""
    yield "class", it.architecture
    yield "parameters", f"{it.parameters:,}{text}, {it.weights} as published"
    if it.layers is not None:
        groups = f"{it.heads} heads, {it.kv_heads} for keys and values"
        yield "layers", f"{it.layers} of {it.hidden_size} values, {groups}, feed-forward {it.inner_size}"
    if it.vocab_size is not None:
        tied = {True: ", embeddings tied", False: ", embeddings not tied", None: ""}[it.tied_embeddings]
        yield "vocabulary", f"{it.vocab_size:,} tokens{tied}"
    if it.context_length is not None:
        window = f", attention sees {it.sliding_window:,} back" if it.sliding_window else ""
        yield "context", f"{it.context_length:,} tokens{window}"
    if it.rope is not None:
        theta = f", theta {it.rope_theta:,.0f}" if it.rope_theta else ""
        share = f", of {it.rotary_share:.0%} of a head" if it.rotary_share else ""
        border = f", other factors beyond {it.longrope_beyond:,} tokens" if it.longrope_beyond else ""
        yield "rotary embedding", f"{it.rope}{theta}{share}{border}"
    if it.eos_token_ids:
        yield "ends at tokens", ", ".join(map(str, it.eos_token_ids))
