"""How much a build may do for the quality of a language model: what each candidate takes on a machine, and the best.

effort.toml has what each candidate took of one model on one machine; benchmarks/effort.py writes it. Time and memory
of another model are in proportion to its parameters, time of another machine in inverse proportion to its cores.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from edgekit import files
from edgekit.errors import UsageError

Effort = Literal["quick", "normal", "best"]
EFFORTS: tuple[Effort, ...] = ("quick", "normal", "best")
BY_EFFORT = "by-effort"  # in place of a recipe's name
NORMAL_S = 240.0  # seconds that normal may take at least, and for each billion of parameters; without the gate
MOST_CORES = 8  # more do not make the passes of one model faster


@dataclass(frozen=True)
class Machine:
    """What builds: cores, and bytes of memory where they are known."""

    cores: int
    memory: int | None = None


@dataclass(frozen=True)
class Candidate:
    """A recipe with settings of its own, and what it took of the model that was measured.

    Attributes:
        kl, mb: on the board of benchmarks/quality, whose model's weights are on no grid.
    """

    recipe: str
    calibrated: bool
    settings: tuple[tuple[str, Any], ...]
    seconds: float
    memory: int
    kl: float
    mb: float

    @property
    def label(self) -> str:
        """As "int4_gptq_mixed samples=16"."""
        return " ".join([self.recipe, *(f"{name}={value}" for name, value in self.settings)])


@dataclass(frozen=True)
class Measured:
    """All candidates, the quickest first, and on what they were measured."""

    model: str
    parameters: int
    machine: str
    cores: int
    quiet: bool
    date: str
    candidates: tuple[Candidate, ...]

    def seconds(self, candidate: Candidate, parameters: int, machine: Machine) -> float:
        """Of a build without the gate, estimated."""
        cores = self.cores / min(max(machine.cores, 1), MOST_CORES)
        return candidate.seconds * parameters / self.parameters * cores

    def memory(self, candidate: Candidate, parameters: int) -> int:
        """Peak bytes, estimated: what calibrates holds the whole model, what rounds a tensor at a time does not."""
        return int(candidate.memory * (max(1.0, parameters / self.parameters) if candidate.calibrated else 1.0))


@dataclass(frozen=True)
class Choice:
    """What an effort affords, why (without figures, which plans on equal machines share), and what the next buys."""

    candidate: Candidate
    why: str
    further: str


@cache
def measured() -> Measured:
    """The figures of effort.toml."""
    path = files.resource("predict/effort.toml")
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    rows = data.pop("candidate")
    candidates = tuple(Candidate(**{**row, "settings": tuple(row["settings"].items())}) for row in rows)
    return Measured(**data, candidates=candidates)


REFERENCE = Machine(2)


@cache
def here() -> Machine:
    """This machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        import psutil
    except ImportError:
        return Machine(cores)
    return Machine(cores, int(psutil.virtual_memory().total))


def of_environment() -> Effort | None:
    """What EDGEKIT_EFFORT says; None where it says nothing.

    Raises:
        UsageError: it is no effort.
    """
    word = os.environ.get("EDGEKIT_EFFORT", "")
    if word and word not in EFFORTS:
        raise UsageError(f"EDGEKIT_EFFORT is {word[:40]!r}, which is no effort", next=f"one of: {', '.join(EFFORTS)}")
    return next((effort for effort in EFFORTS if effort == word), None)


def allowed(effort: Effort, parameters: int) -> float:
    """Seconds that an effort may take, the gate not counted."""
    return {"quick": 0.0, "normal": NORMAL_S * max(1.0, parameters / 1e9), "best": float("inf")}[effort]


def afforded(
    recipe: str, effort: Effort, sized: bool, parameters: int, machine: Machine, *, calibrates: bool
) -> tuple[dict[str, Any], str]:
    """The settings in place of a target's, and why where its recipe is BY_EFFORT."""
    if recipe != BY_EFFORT:
        return {"recipe": recipe}, ""
    choice = choose(effort, parameters, machine, calibrates=calibrates, sized=sized)
    taken = {"recipe": choice.candidate.recipe, **dict(choice.candidate.settings)}
    return taken, f": {choice.why}"


def choose(effort: Effort, parameters: int, machine: Machine, *, calibrates: bool, sized: bool) -> Choice:
    """The best candidate that fits an effort and a machine; the quickest where none does.

    Args:
        calibrates: whether the model can be calibrated at all.
        sized: whether a size is asked for, which calibrated candidates alone can fit matrices into.
    """
    data = measured()
    usable = [each for each in data.candidates if (calibrates or not each.calibrated) and each.calibrated >= sized]
    fitting = [each for each in usable if _fits(data, each, effort, parameters, machine)]
    chosen = (fitting or usable[:1])[-1]
    why = (
        "what effort quick takes, without calibration"
        if effort == "quick"
        else f"the best that effort {effort} affords"
    )
    return Choice(chosen, why, _further(data, usable[usable.index(chosen) :], effort, parameters, machine))


def listed(parameters: int, machine: Machine) -> list[dict[str, Any]]:
    """What each candidate takes of a model, estimated, and gave of the board's model; the quickest first."""
    data = measured()
    return [
        {
            "recipe": each.label,
            "seconds": round(data.seconds(each, parameters, machine)),
            "memory_bytes": data.memory(each, parameters),
            "board_kl": each.kl,
            "board_mb": each.mb,
        }
        for each in data.candidates
    ]


def _fits(data: Measured, each: Candidate, effort: Effort, parameters: int, machine: Machine) -> bool:
    if effort == "quick":
        return not each.calibrated
    enough = machine.memory is None or data.memory(each, parameters) <= machine.memory
    return enough and data.seconds(each, parameters, machine) <= allowed(effort, parameters)


def _further(data: Measured, rest: Sequence[Candidate], effort: Effort, parameters: int, machine: Machine) -> str:
    """What the next better candidate would buy, and why it was not taken."""
    if len(rest) < 2:
        return "no greater effort buys more"
    now, better = rest[0], rest[1]
    larger = EFFORTS[min(EFFORTS.index(effort) + 1, len(EFFORTS) - 1)]
    enough = machine.memory is None or data.memory(better, parameters) <= machine.memory
    how = f"--effort {larger}" if enough else "a machine with more memory"
    buys = f"KL {better.kl:.3f} at {better.mb:.0f} MB for {now.kl:.3f} at {now.mb:.0f} MB on the board's model"
    return f"{how} ({better.label}) buys {buys}, in {_takes(data, better, parameters, machine)} (estimated)"


def _takes(data: Measured, each: Candidate, parameters: int, machine: Machine) -> str:
    minutes = data.seconds(each, parameters, machine) / 60
    return f"{minutes:,.2g} min and {data.memory(each, parameters) / 1e9:,.2g} GB"
