"""A language model as its card, config.json or GGUF header describes it: enough for a plan, without its weights."""

from __future__ import annotations

import tempfile
from pathlib import Path

from edgekit import cache
from edgekit.catalog import cards, member
from edgekit.sources import catalog, gguf, hub
from edgekit.sources.facts import architectures, config_alone, hub_files, modules
from edgekit.sources.facts.files import slug
from edgekit.sources.facts.hf_folder import is_llm, read_config
from edgekit.sources.source import Options, Source

CARD = "described by its card: neither its files nor its weights were fetched"
CONFIG = "described by its config.json: its weights were not fetched"


def unfetched(ref: str, options: Options) -> Source | None:
    """The source without its weights; None of whatever must be opened to be known, or lies here already.

    Raises:
        SourceError: nothing can be built of its class, or what describes it cannot be had or read.
    """
    if catalog.matches(ref):
        return _carded(ref)
    if gguf.matches(ref):
        return gguf.described(ref, options)
    return _configured(hub.parse(ref, code=options.trust_remote_code), options) if hub.matches(ref) else None


def _carded(ref: str) -> Source | None:
    card = cards.load(ref.removeprefix(catalog.PREFIX))
    if card.member is None:
        return None
    architectures.check(card.member.decoder.architecture)
    model = member.model(slug(card.name), card.member, card.license)
    if model is None:
        return None
    described = catalog.carded(model, card)
    return Source(ref=card.name, form="hf", path=Path(card.name), model=described, card=card, origin=(CARD,))


def _configured(wanted: hub.Wanted, options: Options) -> Source | None:
    if _held(wanted):
        return None
    pinned, files = hub.located(wanted, options.emit)
    choice = hub_files.choose(files, pinned.path, pinned.repo, code=pinned.code)
    if choice.model or _held(pinned):
        return None
    with tempfile.TemporaryDirectory(prefix="edgekit-hub-") as name:
        store = Path(name, "files")
        hub.get(pinned, choice.first.values(), store, options.emit)
        hub.named(store / choice.base, choice.model, trust=pinned.code)
        folder = modules.net(store / choice.base)
        if not is_llm(read_config(folder)):
            return None
        model = config_alone.described(folder)
    model = model.model_copy(update={"name": options.name or slug(pinned.repo.rpartition("/")[2])})
    line = f"{CONFIG}; {pinned.repo} of the Hugging Face hub at commit {pinned.revision}"
    return Source(ref=pinned.ref(), form="hf", path=Path(pinned.repo), model=model, origin=(line,))


def _held(wanted: hub.Wanted) -> bool:
    """Whether the cache has the model itself, at this commit."""
    return hub.COMMIT.fullmatch(wanted.revision) is not None and cache.lookup("downloads", wanted.key) is not None
