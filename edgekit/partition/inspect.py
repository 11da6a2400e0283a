"""A staged bundle against its target: does the oldest allowed runtime load it, what does the accelerator take?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgekit import console, partition
from edgekit.bundle.manifest import Manifest, Variant
from edgekit.errors import BuildError, EdgekitError
from edgekit.partition import floor
from edgekit.report.partition import Partition
from edgekit.target import Target


def graph(staged: Path, variant: Variant) -> Path | None:
    """The variant's .onnx file; None where it is a pipeline of several."""
    path = staged / variant.path
    if path.is_file():
        return path
    return path / "model.onnx" if (path / "model.onnx").is_file() else None


def settle(staged: Path, made: Manifest, target: Target) -> tuple[str, ...]:
    """Make every staged graph loadable by the target's oldest runtime; returns what was changed, in words.

    Raises:
        BuildError: one is not, and cannot be made so without changing what it computes.
    """
    oldest = target.engine_floor()
    changes: list[str] = []
    for variant in made.variants if oldest else ():
        path = graph(staged, variant)
        if path is None or oldest is None or not floor.check(path, oldest):
            continue
        changes += [f"{variant.name}: {line}" for line in floor.downgrade(path, oldest)]
        if problems := floor.check(path, oldest):
            need = f"; ONNX Runtime {problems[0].needs} loads it" if problems[0].needs else ""
            raise BuildError(
                f"{target.name} allows ONNX Runtime {oldest}, which cannot load this: {problems[0].text}{need}",
                next="raise the floor in a target of your own (edgekit targets new), or take another recipe",
            )
    return tuple(changes)


def placement(
    staged: Path,
    made: Manifest,
    target: Target,
    simulator: Mapping[str, str] | None = None,
    *,
    require_ep: bool = False,
) -> dict[str, Partition]:
    """What each variant's provider takes: measured where a session can be opened here, else predicted.

    Args:
        simulator: provider options where a simulator stands for the accelerator.

    Raises:
        BuildError: require_ep, and a provider takes less than the target's floor.
    """
    settings = target.llm if made.contract.kind == "llm" else target.tensor
    found = {}
    for variant in made.variants:
        path = graph(staged, variant)
        if path is None or variant.compiled:
            continue
        try:
            one = partition.look(
                path,
                variant.ep,
                simulator or variant.ep_options,
                runtime=target.engine_floor(),
                api_level=target.api_level(),
            )
        except EdgekitError as error:
            console.warn(f"placement of {variant.name} on {variant.ep} is not known: {error.message}")
            continue
        found[variant.name] = one
        if one.coverage < settings.coverage_min:
            _too_little(variant, one, settings.coverage_min, require_ep)
    return found


def _too_little(variant: Variant, one: Partition, least: float, required: bool) -> None:
    worst = one.blockers[0] if one.blockers else None
    why = f": it leaves {worst.operator} ({worst.reason})" if worst else ""
    said = f"{variant.ep} takes {one.coverage:.0%} of {variant.name} ({one.how}), {least:.0%} are wanted{why}"
    if required:
        raise BuildError(said, next=(worst.rewrite if worst else "") or "leave out --require-ep, or change the model")
    console.warn(said)
