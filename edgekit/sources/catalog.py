"""A name of the catalogue, or the .toml file of a card: the card's model, with what the card knows of it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit import cache, console
from edgekit.catalog import cards, member
from edgekit.catalog.cards import Card
from edgekit.errors import SourceError
from edgekit.model import Answers, Model, StateInput
from edgekit.sources import _places
from edgekit.sources.facts import architectures
from edgekit.sources.facts.files import AGAIN, slug
from edgekit.sources.source import Options, Source

PREFIX = "catalog:"
YES = ("1", "ON", "YES", "TRUE")  # as huggingface_hub reads its switches


def matches(ref: str) -> bool:
    """A card's name, catalog:NAME, or a card's file."""
    return ref in cards.names() or ref.startswith(PREFIX) or ref.endswith(".toml")


def fetch(ref: str, options: Options) -> Source:
    """What the card's own reference gives, described as the card says."""
    card = cards.load(ref.removeprefix(PREFIX))
    if card.member is not None:
        architectures.check(card.member.decoder.architecture)
    task = options.task or card.task or None
    inner = replace(options, name=slug(card.name), task=task, token_vectors=card.decode == "mean-pool")
    source = _opened(card, Path(ref).parent if ref.endswith(".toml") else None, inner)
    if source.model.kind != card.kind:
        raise SourceError(
            f"the card {card.name} says {card.kind}, its model is {source.model.kind}",
            next="correct the card",
        )
    if card.member is not None and (differences := member.differing(card.member, source.model)):
        raise SourceError(
            f"the checkpoint is not the model of the card {card.name}: {'; '.join(differences)}",
            next="build the folder itself, or correct the card's [member.decoder]",
        )
    decode = card.decode if "decode" in card.model_fields_set else source.decode
    inferred = {name: by for name, by in source.inferred.items() if name not in card.inputs}
    described = carded(source.model, card)
    return replace(source, ref=card.name, card=card, decode=decode, inferred=inferred, model=described)


def _opened(card: Card, folder: Path | None, options: Options) -> Source:
    """The model itself, or what stands in for it where it cannot be had."""
    if card.stand_in is None:
        return _places.fetch(_resolve(card, folder), options)
    try:
        if os.environ.get("HF_HUB_OFFLINE", "").upper() in YES:  # asking the hub would take a second
            raise SourceError("HF_HUB_OFFLINE forbids to ask the hub", next="unset HF_HUB_OFFLINE")
        return _places.fetch(_resolve(card, folder), options)
    except SourceError as error:
        console.warn(f"{card.ref} cannot be had ({error.message}); in its place: {card.stand_in.what}")
    source = _places.fetch(f"{card.stand_in.ref}@sha256={card.stand_in.sha256}", options)
    line = f"stands in for {card.ref}, which could not be had: {card.stand_in.what}"
    return replace(source, origin=(line, *source.origin))


def _resolve(card: Card, folder: Path | None) -> str:
    """The card's reference with its checksum; a path is taken from the card's own folder."""
    if not card.ref:
        raise SourceError(f"the card {card.name} names no place that the model could be had from", next=card.source_url)
    if card.ref.startswith("pypi:"):
        return f"{card.ref}@sha256={card.sha256}" if card.sha256 and "@sha256=" not in card.ref else card.ref
    if card.ref.startswith("hf:"):
        if card.sha256:
            raise SourceError(
                f"the card {card.name} gives a sha256 for a model of the hub, whose files have one each",
                next="pin its commit instead: ref = 'hf:org/name@commit'",
            )
        return card.ref
    path = folder / card.ref if folder is not None else Path(card.ref)
    if card.sha256 and path.exists() and (found := cache.path_digest(path)) != card.sha256:
        raise SourceError(f"{path.name} has sha256 {found}, its card expects {card.sha256}", next=AGAIN)
    return str(path)


def carded(model: Model, card: Card) -> Model:
    """The model with the card's licence, task and inputs.

    Raises:
        SourceError: the card speaks of an input or an output that the model does not have.
    """
    outputs = {tensor.name for tensor in model.outputs}
    states = {form.output for form in card.inputs.values() if isinstance(form, StateInput)}
    unknown = sorted((set(card.inputs) - {tensor.name for tensor in model.inputs}) | (states - outputs))
    if unknown:
        has = ", ".join(repr(tensor.name) for tensor in (*model.inputs, *model.outputs))
        raise SourceError(f"the card {card.name} names {unknown[0]!r}, the model has {has}", next="correct the card")
    inputs = tuple(
        tensor.model_copy(update={"preprocess": card.inputs.get(tensor.name, tensor.preprocess)})
        for tensor in model.inputs
    )
    told: dict[str, Any] = {"license": card.license or model.license, "task": card.task or model.task, "inputs": inputs}
    if model.llm is not None and card.sampling is not None:
        answers = (model.llm.answers or Answers()).model_copy(update={"sampling": card.sampling})
        told.update(llm=model.llm.model_copy(update={"answers": answers}))
    return model.model_copy(update=told)
