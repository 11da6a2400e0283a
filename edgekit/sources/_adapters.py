"""Adapters of a language model: beside it in the bundle, or one of them in its weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from edgekit import console, digests
from edgekit.errors import UsageError
from edgekit.model import UNREAD
from edgekit.sources._convert import convert
from edgekit.sources.facts import adapter, safetensors
from edgekit.sources.facts.adapter import Lora
from edgekit.sources.facts.files import name_of, slug
from edgekit.sources.source import Source


def adapted(source: Source, words: Iterable[str], *, merge: bool) -> Source:
    """The model with its adapters read and checked; a merge is done by `whole`, for it reads all weights.

    Args:
        words: NAME=FOLDER, each.

    Raises:
        UsageError: names that are none; a model that takes no adapters; several to merge, or none.
        SourceError: as adapter.read does.
    """
    folders = adapter.named(words)
    if merge and len(folders) != 1:
        raise UsageError("--merge-adapter puts one adapter into the weights", next="give one --adapter NAME=FOLDER")
    if not folders:
        return source
    if source.model.llm is None or source.form != "hf":
        raise UsageError(f"{source.model.name} is no language model, --adapter is for these", next="leave it out")
    base = safetensors.read_folder(source.path)
    loras = tuple(adapter.read(name, folder, base) for name, folder in folders.items())
    for lora in loras:
        _compare_base(source, lora)
    how = "merged into the weights by PEFT" if merge else "beside the weights, chosen at run time"
    origin = (*source.origin, *(f"{described(lora)}, {how}" for lora in loras))
    if merge:
        name = slug(f"{source.model.name}-{loras[0].facts.name}")
        return replace(source, origin=origin, to_merge=loras[0], model=source.model.model_copy(update={"name": name}))
    model = source.model.model_copy(update={"adapters": tuple(lora.facts for lora in loras)})
    return replace(source, origin=origin, adapters=loras, model=model)


def described(lora: Lora) -> str:
    """ "the adapter polite (rank 8 of q_proj, v_proj; trained on org/base)"."""
    facts = lora.facts
    trained = f"; trained on {facts.base}" if facts.base else ""
    return f"the adapter {facts.name} (rank {facts.rank} of {', '.join(facts.modules)}{trained})"


def whole(source: Source) -> Source:
    """The source with the digest of all its bytes, and with the adapter in its weights that is to be there."""
    read = source.whole()
    lora = read.to_merge
    if lora is None:
        return read
    with digests.unchanged(lora.snapshot):
        options = {
            "adapter": str(lora.path.absolute()),
            "adapter_sha256": digests.path_digest(lora.path),
            "trust_remote_code": read.trust_remote_code,
        }
        what = f"merging {lora.facts.name} into {read.model.name}"
        folder, _ = convert("merge", read.path, read.model.sha256, options, read.snapshot, what=what, emit=console.tick)
    taken = digests.snapshot(folder, what=f"the model {read.model.name}")
    model = read.model.model_copy(update={"sha256": UNREAD})
    return replace(read, path=folder, snapshot=taken, to_merge=None, model=model).whole()


def _compare_base(source: Source, lora: Lora) -> None:
    """Say so where the adapter names another base: its shapes fit, but two models of one shape are not one."""
    stated = slug(lora.facts.base.replace("\\", "/").rstrip("/").rpartition("/")[2]) if lora.facts.base else ""
    own = {slug(source.model.name), name_of(source.path), slug(source.ref.rpartition("/")[2])}
    if stated and not any(stated.startswith(mine) or mine.startswith(stated) for mine in own):
        console.warn(f"the adapter {lora.facts.name} was trained on {lora.facts.base}, this is {source.model.name}")
