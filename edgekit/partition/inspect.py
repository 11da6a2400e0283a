"""A staged bundle against its target: what does the accelerator take?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgekit import console, partition
from edgekit.contract.manifest import Draft
from edgekit.errors import BuildError, EdgekitError
from edgekit.kinds.variant import Variant
from edgekit.results.partition import Partition
from edgekit.target import Target, api_level


def graph(staged: Path, variant: Variant) -> Path | None:
    """The variant's .onnx file; None where it is a pipeline of several."""
    path = staged / variant.path
    if path.is_file():
        return path
    return path / "model.onnx" if (path / "model.onnx").is_file() else None


def placement(
    staged: Path,
    made: Draft,
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
    settings = target.settings(made.contract.kind)
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
                runtime=target.engine_floor(made.contract.kind),
                api_level=api_level(target.os, target.platform.os_min),
            )
        except EdgekitError as error:
            if isinstance(error, BuildError) and error.killed:  # without its placement it would pass for the bundle
                raise
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
