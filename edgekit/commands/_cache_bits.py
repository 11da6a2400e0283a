"""`--cache-bits`: refused where a model has no cache."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from edgekit.errors import UsageError

if TYPE_CHECKING:
    from edgekit.build import Job


def refuse(jobs: Iterable[Job]) -> None:
    """Stop at a model without a key-value cache.

    Raises:
        UsageError: it is no language model.
    """
    for job in jobs:
        if not hasattr(job.target.settings(job.plan.kind), "cache_bits"):
            raise UsageError(
                f"{job.name}: --cache-bits is of a key-value cache, which {job.plan.kind} models have not",
                next="leave out --cache-bits",
            )
