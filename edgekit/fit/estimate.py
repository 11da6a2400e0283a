"""What a model takes on a device, before anything is built: sizes, memory, speed, limits, and the build itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgekit import plan, target
from edgekit.catalog import cards, device
from edgekit.catalog.cards import Card
from edgekit.catalog.device import GIB, Device, Limit
from edgekit.data import nearest
from edgekit.errors import SourceError, TargetError, UsageError
from edgekit.fit import matrix, memory, speeds, timed
from edgekit.kinds import Footprint, llm
from edgekit.lint.engines import unshippable
from edgekit.model import Model
from edgekit.plan import Plan
from edgekit.predict import build as building
from edgekit.sources import Options, gguf
from edgekit.sources.facts import config_alone
from edgekit.target import Target

Fits = Literal["yes", "no", "unknown"]
RUNTIME = 20_000_000  # bytes: tokenizer, wrapper and check data beside the weights of a bundle


@dataclass(frozen=True)
class Room:
    """The memory that there is, and how much of it an app may take.

    Attributes:
        ram: bytes; None where nobody published them.
        limit: bytes of what the system counts; None without `ram`.
        why: which limit that is, and who measured it.
        how: the user gave the memory, somebody published it, or it is unknown.
    """

    ram: int | None
    limit: int | None
    why: str
    rule: Limit
    how: Literal["given", "published", "unknown"]


@dataclass(frozen=True)
class Fit:
    """What a model takes for a target on a device. Bytes; all of it estimated but where `speed` says otherwise.

    Attributes:
        anonymous: at worst.
        expected: of memory, with a text as long as the context; None where nobody measured the target's engine.
    """

    model: str
    target: str
    device: str
    context: int
    recipe: str
    precision: str
    ep: str
    download: int
    bundle: int
    memory: Footprint
    anonymous: int
    expected: int | None
    room: Room
    fits: Fits
    reasons: tuple[str, ...]
    speed: tuple[speeds.Estimate, ...]
    build_memory: int
    build_disk: int
    build_time: str
    notes: tuple[str, ...] = ()

    @property
    def decode_tps(self) -> float | None:
        """Tokens a second of an answer: published of what the target runs on, else estimated; None where unknown."""
        known = [each for each in self.speed if each.quantity == speeds.DECODE and each.value is not None]
        there = [each for each in known if ("on its cpu" in each.note) == (self.ep == "cpu")]
        return there[0].value if there else None


def described(ref: str) -> tuple[Model, Card | None]:
    """The model that a user names: a member of the catalogue, or a folder's config.json, or a .gguf file's header.

    Raises:
        SourceError: neither, or one of which nothing can be built.
    """
    path = Path(ref)
    if ref in cards.names() or ref.endswith(".toml"):
        card = cards.load(ref)
        return matrix.described(card), card
    if path.exists():
        return gguf.described(ref, Options()).model if gguf.matches(ref) else config_alone.described(path), None
    known = [name for name in cards.names() if cards.load(name).member]
    raise SourceError(
        f"unknown model {ref[:200]!r}{nearest(ref, known)}", next=f"a folder with a config.json, or {', '.join(known)}"
    )


def size(text: str) -> int:
    """Bytes of a memory that a user gives, "6GB" or "512MB"; a GB of memory has 2**30 bytes.

    Raises:
        UsageError: it is no size.
    """
    units = {"GB": GIB, "GIB": GIB, "MB": GIB >> 10, "MIB": GIB >> 10}
    word = text.strip().upper()
    for unit, bytes_ in units.items():
        if word.endswith(unit):
            try:
                value = float(word.removesuffix(unit))
            except ValueError:
                break
            if 0 < value < 1e6:
                return int(value * bytes_)
    raise UsageError(f"{text[:40]!r} is no size of a memory", next="write 6GB or 512MB")


def targets_of(on: Device) -> list[Target]:
    """The targets whose bundles run on a device: its system, its instructions, and its chip where one is named."""
    fitting = []
    for name in target.names():
        it = target.load(name)
        chips = {chip for variant in it.settings(llm.KIND.name).variants() for chip in variant.soc}
        right_chip = not chips or (on.soc is not None and on.soc.model in chips)
        if it.os == on.system.os and on.system.abi in it.abi and right_chip:
            fitting.append(it)
    return fitting


def chosen(on: Device | None, name: str | None) -> Target:
    """The target asked for, or the device's own CPU's.

    Raises:
        TargetError: there is no such target, or it is of another system.
    """
    if on is None:
        return target.load(name or "linux-cpu")
    fitting = targets_of(on)
    if name is not None:
        it = target.load(name)
        if it.name not in [each.name for each in fitting] and not name.endswith(".toml"):
            names = ", ".join(each.name for each in fitting) or "none"
            raise TargetError(f"bundles for {it.name} do not run on {on.title}", next=f"those that do: {names}")
        return it
    if not fitting:
        raise TargetError(f"there is no target for {on.title}", next="give --target")
    own = [it for it in fitting if it.settings(llm.KIND.name).ep == "cpu" and it.status != "legacy"]
    return (own or fitting)[0]


def fit(model: Model, card: Card | None, on: Device | None, ram: int | None, into: Target, context: int | None) -> Fit:
    """What the model takes for a target, on a device or in a memory.

    Raises:
        EdgekitError: as the plan refuses the pair.
        UsageError: the context is longer than the model's.
    """
    settings = into.settings(llm.KIND.name)
    if context is not None:
        assert model.llm is not None
        if not 0 < context <= model.llm.context_length:
            most = model.llm.context_length
            raise UsageError(f"{model.name} has a context of {most:,} tokens, not {context:,}", next=f"at most {most}")
        settings = settings.model_copy(update={"max_length": context})
        into = into.model_copy(update={llm.KIND.name: settings})
    made = plan.make(model, into, card=card)
    return of_plan(made, model, into, on, ram)


def of_plan(
    made: Plan,
    model: Model,
    into: Target,
    on: Device | None,
    ram: int | None,
    *,
    free: int | None = None,
    gate: bool = True,
) -> Fit:
    """What a plan's bundle takes, on a device or in a memory; of the build, where so much memory is free here."""
    taken = plan.footprint(made, model, into)
    anonymous = taken.predicted_peak_bytes - taken.mapped_bytes
    room = room_of(into, on, ram)
    bundle = taken.mapped_bytes + RUNTIME
    likely = memory.expected(model, taken, made.max_length or 0)
    fits, reasons = _judged(taken, anonymous, likely, room, bundle)
    cache, ep = taken.kv_bytes_at_max_length or 0, into.settings(llm.KIND.name).ep
    by_torch = building.on_torch([step["type"] for step in _passes(made)])
    return Fit(
        model=model.name,
        target=into.name,
        device=on.title if on else "",
        context=made.max_length or 0,
        recipe=made.main.recipe,
        precision=made.main.precision,
        ep=ep,
        download=model.source_bytes,
        bundle=bundle,
        memory=taken,
        anonymous=anonymous,
        expected=likely,
        room=room,
        fits=fits,
        reasons=reasons,
        speed=tuple(speeds.estimates(on, model.name, model, taken.mapped_bytes, cache, cpu=ep == "cpu")),
        build_memory=building.memory(model, anonymous, quantized_first=by_torch, free=free, gate=gate),
        build_disk=building.disk(taken.mapped_bytes),
        build_time=timed.words(model.parameters),
        notes=(
            *(note for note in made.notes if note.startswith("runs on")),
            *(f"not shippable on Play: {why} (docs/embedding.md)" for why in unshippable(into.runtime, model.kind)),
        ),
    )


def _passes(made: Plan) -> list[dict[str, object]]:
    return list(made.optimize_step(made.main).config.get("passes", {}).values())


def room_of(into: Target, on: Device | None, ram: int | None) -> Room:
    """The memory of a device or the one given, and its system's limit."""
    rule = device.limits()[on.system.os if on else into.os]
    there = ram if ram is not None else on.ram_bytes if on else None
    source = "as given" if ram is not None else on.ram.source if on and on.ram else ""
    if there is None:
        missing = f"the memory of {on.title} is not published: give --ram" if on else "give --device or --ram"
        return Room(None, None, missing, rule, "unknown")
    by = f", measured by {rule.measured_by}" if rule.measured_by else ""
    share = 1.0 if rule.share is None else rule.share
    why = f"{share:.1%} of {there / GIB:g} GB ({source}): {rule.what}{by}"
    return Room(there, int(there * share), why, rule, "published" if ram is None else "given")


def _judged(
    taken: Footprint, anonymous: int, likely: int | None, room: Room, bundle: int
) -> tuple[Fits, tuple[str, ...]]:
    reasons = []
    if room.rule.all_bytes is not None and bundle > room.rule.all_bytes:
        reasons.append(f"a bundle of {_gb(bundle)} is more than a store takes: {room.rule.store}")
    elif room.rule.pack_bytes is not None and bundle > room.rule.pack_bytes:
        packs = -(-bundle // room.rule.pack_bytes)
        reasons.append(f"the store needs {packs} packs for {_gb(bundle)}: {room.rule.store}")
    if room.ram is None or room.limit is None:
        return "unknown", (room.why, *reasons)
    counted = anonymous if room.rule.counts == "anonymous" else taken.predicted_peak_bytes
    if counted > room.limit >= (counted if likely is None else likely):
        whole = f"{_gb(likely or 0)} are expected, {_gb(counted)} at worst, {_gb(room.limit)} are allowed"
        return "unknown", (whole, *reasons)
    if counted > room.limit:
        word = "anonymous memory" if room.rule.counts == "anonymous" else "memory"
        return "no", (f"{_gb(counted)} of {word} at most, {_gb(room.limit)} are allowed", *reasons)
    if taken.predicted_peak_bytes > room.ram:
        whole = f"{_gb(taken.predicted_peak_bytes)} with the weights, {_gb(room.ram)} are there"
        return "no", (f"{whole}: weights would be read from storage again and again", *reasons)
    return "yes", tuple(reasons)


def _gb(count: int) -> str:
    return f"{count / 1e9:.2f} GB"
