"""What a model takes on a device, for people and as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from edgekit import console
from edgekit.data import jsonable
from edgekit.results.metrics import DECODE_TPS

if TYPE_CHECKING:
    from edgekit.fit.estimate import Fit
    from edgekit.fit.recommend import Choice
    from edgekit.fit.speeds import Estimate

TITLES = {DECODE_TPS.name: "answer", "ttft_s": "first token"}
UNITS = {DECODE_TPS.name: DECODE_TPS.unit, "ttft_s": "s"}


def plain(taken: Fit) -> dict[str, Any]:
    """A fit as JSON data; each figure says how it is known."""
    return {
        "model": taken.model,
        "target": taken.target,
        "device": taken.device,
        "context": taken.context,
        "recipe": taken.recipe,
        "precision": taken.precision,
        "fits": taken.fits,
        "reasons": list(taken.reasons),
        "estimated": {
            "download_bytes": taken.download,
            "bundle_bytes": taken.bundle,
            "memory": jsonable(taken.memory),
            "anonymous_bytes": taken.anonymous,
            "expected_bytes": taken.expected,
            "build_peak_bytes": taken.build_memory,
        },
        "build_time": taken.build_time,
        "limit": {"ram_bytes": taken.room.ram, "limit_bytes": taken.room.limit, "what": taken.room.why},
        "limit_source": taken.room.rule.source,
        "entitlements": list(taken.room.rule.entitlements),
        "store": taken.room.rule.store,
        "speed": [vars(each) for each in taken.speed],
        "notes": list(taken.notes),
    }


def show(taken: Fit) -> None:
    """A fit as a table of figures, each with how it is known."""
    where = taken.device or "the memory given"
    console.out(f"{taken.model} for {taken.target} on {where}: {taken.recipe} ({taken.precision}), {_word(taken)}")
    console.table("", ("what", "figure", "known how", "from"), list(_rows(taken)), right=(1,))
    for reason in taken.reasons:
        console.out(f"note: {reason}")
    for entitlement in taken.room.rule.entitlements:
        console.out(f"entitlement: {entitlement}")
    if taken.room.rule.store:
        console.out(f"store: {taken.room.rule.store}")
    for note in taken.notes:
        console.out(f"note: {note}")


def _word(taken: Fit) -> str:
    return {"yes": "fits (estimated)", "no": "does not fit (estimated)", "unknown": "whether it fits is unknown"}[
        taken.fits
    ]


def _rows(taken: Fit) -> Iterator[tuple[str, str, str, str]]:
    memory, guess = taken.memory, "estimated"
    yield "download", gb(taken.download), guess, "parameters as published"
    yield "bundle", gb(taken.bundle), guess, "weights of the recipe, and what goes with them"
    yield "memory: weights", gb(memory.mapped_bytes), guess, "mapped: read again where they are evicted"
    yield "memory: packed weights", gb(memory.prepacked_bytes), guess, "anonymous; copies of kernels, at worst"
    cache = memory.kv_bytes_at_max_length or 0
    yield "memory: cache", gb(cache), guess, f"anonymous; {memory.kv_dtype} keys and values of {taken.context:,} tokens"
    yield "memory: logits", gb(memory.logits_bytes_pp512 or 0), guess, "anonymous; of a prompt of 512 tokens"
    if memory.engine_bytes is None:
        yield "memory: engine", "unknown", "unknown", "nobody measured it for this target; it is in no sum"
    else:
        yield "memory: engine", gb(memory.engine_bytes), "measured", "anonymous; on the build machine"
    yield "memory: anonymous", gb(taken.anonymous), guess, "what a phone's limit counts"
    if taken.expected is not None:
        yield "memory: all, expected", gb(taken.expected), guess, "fitted on bundles that were run (docs/choosing.md)"
    yield "memory: all, at most", gb(memory.predicted_peak_bytes), guess, ""
    limit = "unknown" if taken.room.limit is None else gb(taken.room.limit)
    yield "limit", limit, taken.room.how, taken.room.why
    yield from (_speed(each) for each in taken.speed)
    yield (
        "build: memory",
        gb(taken.build_memory),
        guess,
        "anonymous, with a gate that has the float source whole (docs/choosing.md)",
    )
    time, _, how = taken.build_time.partition(", ")
    yield "build: time", time, "unknown" if time == "unknown" else guess, how


def _speed(each: Estimate) -> tuple[str, str, str, str]:
    value = "unknown" if each.value is None else f"{each.value:.3g} {UNITS[each.quantity]}"
    return f"speed: {TITLES[each.quantity]}", value, each.how, each.note


def gb(count: int) -> str:
    """Bytes for people, in decimal units."""
    return f"{count / 1e9:.2f} GB" if count >= 10**9 else f"{count / 1e6:.0f} MB"


def choice(each: Choice) -> dict[str, Any]:
    """A choice as JSON data."""
    return {"model": each.name, "reasons": list(each.reasons), "fit": plain(each.fit) if each.fit else None}


def show_choices(task: str, suited: Sequence[Choice], left: Sequence[Choice]) -> None:
    """The members that suit a task, best first, and why the others do not."""
    if suited:
        columns = ("place", "model", "bundle", "memory at most", "answer", "because")
        rows = [(str(place), *_choice(each)) for place, each in enumerate(suited, start=1)]
        console.table(f"For {task}, best first (sizes, memory and speed: estimated)", columns, rows, right=(0, 2, 3, 4))
    else:
        console.out(f"nothing of the catalogue suits {task} there")
    if left:
        console.table("Left out", ("model", "because"), [(each.name, "; ".join(each.reasons)) for each in left])


def _choice(each: Choice) -> tuple[str, ...]:
    if each.fit is None:
        return each.name, "", "", "", "; ".join(each.reasons)
    tps = each.fit.decode_tps
    speed = "unknown" if tps is None else f"{tps:.3g} tokens/s"
    memory = gb(each.fit.memory.predicted_peak_bytes)
    return each.name, gb(each.fit.bundle), memory, speed, "; ".join(each.reasons)
