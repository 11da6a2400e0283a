"""What a build is warned of before it starts: a device without room for the bundle, a machine without room to build."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgekit.commands._fit import gb

if TYPE_CHECKING:
    from edgekit.build import Job
    from edgekit.catalog.device import Device


@dataclass(frozen=True)
class Asked:
    """The device that the user names, and a memory, which wins over the device's own; None where they are not named."""

    device: Device | None = None
    ram: int | None = None


def asked(on: str | None, ram: str | None) -> Asked:
    """What the user's words name.

    Raises:
        UsageError: no such device, or no size.
    """
    from edgekit.catalog import device
    from edgekit.fit import estimate

    there = device.find(on) if on is not None else None
    return Asked(there, estimate.size(ram) if ram is not None else None)


def warnings(jobs: Iterable[Job], room: Asked, machine: int | None) -> Iterator[str]:
    """What does not fit, a line each; of language models alone, for of others too little is known beforehand.

    Args:
        machine: bytes of memory of this machine, None where it is not known.
    """
    from edgekit.fit import estimate

    for job in jobs:
        model = job.source.model
        if model.llm is None:
            continue
        taken = estimate.of_plan(job.plan, model, job.target, room.device, room.ram, free=free_memory())
        if room != Asked() and taken.fits != "yes":
            word = "will not fit" if taken.fits == "no" else "may not fit"
            where = taken.device or "the memory given"
            yield f"{job.name} {word} {where} (estimated): {taken.reasons[0]}"
        if machine is not None and taken.build_memory > machine:
            needs, has = gb(taken.build_memory), gb(machine)
            yield f"building {job.name} may take {needs} of memory (estimated), this machine has {has}"


def free_memory() -> int | None:
    """Bytes that a process may take here now; None where nothing says so."""
    try:
        from edgekit.jobs import layered

        return layered.available_bytes()
    except ImportError:
        return None


def machine_memory() -> int | None:
    """Bytes of memory of this machine; None where nothing says so."""
    from edgekit.predict import effort

    return effort.here().memory
