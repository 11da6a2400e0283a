"""`--size`: refused where no recipe can take it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from edgekit.errors import UsageError

if TYPE_CHECKING:
    from edgekit.build import Job


def refuse(jobs: Iterable[Job]) -> None:
    """Stop where a plan has no pass that fits matrices into a size.

    Raises:
        UsageError: for a model of another kind, or a recipe whose size is its own.
    """
    from edgekit.predict.weights import FITTED

    for job in jobs:
        passes = job.plan.optimize_step(job.plan.main).config.get("passes", {}).values()
        if all(step["type"] != FITTED for step in passes):
            recipe = job.plan.main.recipe
            raise UsageError(
                f"{job.name}: recipe {recipe} has a size of its own, --size changes nothing of it",
                next="leave out --size; int4_gptq_mixed takes one, of language models",
            )
