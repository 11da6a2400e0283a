"""What a model will take, in words; every one of them says that it is estimated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit.build import Job
    from edgekit.kinds import Footprint

# Bytes a second: round figures, which a reader can scale to the device at hand.
MEMORY = 10e9
STORAGE = 1e9


def words(taken: Footprint) -> str:
    """One line: weights, memory, and how fast an answer and a first start can be at best."""
    parts = [
        f"{_mb(taken.mapped_bytes)} of weights",
        f"{_mb(taken.predicted_peak_bytes)} of memory at most",
        engine(taken),
    ]
    if taken.kv_bytes_at_max_length:
        parts.append(f"{_mb(taken.kv_bytes_at_max_length)} of it for the key-value cache")
        parts.append(speed(taken))
    return f"on the device (estimated): {', '.join([*parts, load(taken)])}"


def building(job: Job, taken: Footprint, *, gate: bool = True) -> dict[str, Any]:
    """What a build makes and takes: bytes of the bundle, of memory and disk while it is made, and time.

    None: not known. Of memory what is anonymous, with the gate or without it, where so much is free as now.
    """
    from edgekit.commands import _room
    from edgekit.fit import estimate

    if job.source.model.llm is None:  # of other models no build was measured
        nothing = {"bundle_bytes": taken.mapped_bytes, "memory_bytes": None, "disk_bytes": None, "time": None}
        return nothing | _candidates(job)
    free = _room.free_memory()
    fit = estimate.of_plan(job.plan, job.source.model, job.target, None, None, free=free, gate=gate)
    taken_here = {"memory_bytes": fit.build_memory, "disk_bytes": fit.build_disk}
    return {"bundle_bytes": fit.bundle, **taken_here, "time": fit.build_time} | _candidates(job)


def _candidates(job: Job) -> dict[str, Any]:
    """Where an effort chose the recipe: what each candidate takes here and gave, and what the next effort buys."""
    from edgekit.predict import effort
    from edgekit.recipes import calibrates

    table, model = job.target.settings(job.plan.kind), job.source.model
    if table.recipe != effort.BY_EFFORT or "effort" not in job.plan.main.reason:
        return {"candidates": [], "further": ""}
    here, asked = effort.here(), {"calibrates": calibrates(model), "sized": getattr(table, "size", None) is not None}
    choice = effort.choose(getattr(table, "effort", "quick"), model.parameters, here, **asked)
    return {"candidates": effort.listed(model.parameters, here), "further": choice.further}


def built(takes: dict[str, Any]) -> str:
    """The same in a line."""
    bundle = f"a bundle of {_mb(takes['bundle_bytes'])}"
    if takes["memory_bytes"] is None:
        return f"building (estimated): {bundle} beside its runtime; memory and time unknown: no such build was measured"
    here = f"{_mb(takes['memory_bytes'])} of memory, {_mb(takes['disk_bytes'])} of disk"
    return f"building (estimated): {bundle}, {here}; time {takes['time']}"


def afforded(takes: dict[str, Any]) -> list[str]:
    """A line for each recipe that an effort chooses from, without the gate, and what the next effort buys."""
    lines = [
        f"{each['recipe']}: {each['seconds'] / 60:,.2g} min, {_mb(each['memory_bytes'])} of memory (estimated); of the "
        f"board's model {each['board_mb']:g} MB at KL {each['board_kl']:g}"
        for each in takes["candidates"]
    ]
    return [*lines, takes["further"]] if lines else []


COLUMNS = ("bundle", "memory there", "memory here", "time here")


def cells(taken: Footprint, takes: dict[str, Any]) -> tuple[str, str, str, str]:
    """The figures of one of many bundles, for COLUMNS: where it runs, and where it is built."""
    memory = "unknown" if takes["memory_bytes"] is None else _mb(takes["memory_bytes"])
    time = str(takes["time"] or "unknown").partition(",")[0]  # why, and from what, is said of one model alone
    return _mb(takes["bundle_bytes"]), _mb(taken.predicted_peak_bytes), memory, time


def load(taken: Footprint) -> str:
    """How long a first start takes where storage delivers STORAGE."""
    from edgekit.predict.speed import load_s

    seconds = load_s(taken.mapped_bytes, STORAGE)
    return f"{seconds:,.3g} s at least until it is loaded, from storage of {STORAGE / 1e9:g} GB/s"


def engine(taken: Footprint) -> str:
    """How much of the memory is the engine's own."""
    if taken.engine_bytes is None:
        return "the engine's own, which nobody measured for this target, not counted"
    return f"{_mb(taken.engine_bytes)} of it the engine's own"


def speed(taken: Footprint) -> str:
    """How fast a language model answers where memory delivers MEMORY."""
    from edgekit.predict.speed import token_s

    rate = 1 / token_s(taken.mapped_bytes, 0, MEMORY)
    return f"{rate:,.3g} tokens/s at most for each {MEMORY / 1e9:g} GB/s of memory bandwidth"


def _mb(count: int) -> str:
    return f"{count / 1e6:,.4g} MB"
