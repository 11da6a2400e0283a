"""The float reference's libraries, loaded once for all that one gate asks: torch and transformers take four seconds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from edgekit import tools
from edgekit.errors import EdgekitError
from edgekit.warm import Warm

PROGRAM = tools.module("edgekit.jobs.reference")
# Threads that spin while they wait make torch up to eight times slower on a machine that is not idle.
ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
_kept: ContextVar[list[Warm] | None] = ContextVar("_kept", default=None)


@contextmanager
def kept() -> Iterator[None]:
    """Within it `fork` has one worker, which starts when it is first asked."""
    if _kept.get() is not None:  # of somebody who keeps one already
        yield
        return
    workers: list[Warm] = []
    token = _kept.set(workers)
    try:
        yield
    finally:
        _kept.reset(token)
        for worker in workers:
            worker.close()


def fork(request: Path) -> tools.Child | None:
    """A process of the worker's for this request; none where nobody keeps one, or no process can be forked."""
    workers = _kept.get()
    if workers is None or sys.platform != "linux":
        return None
    if not workers or workers[-1].process.poll() is not None:
        with suppress(OSError, EdgekitError):  # it would only have saved time
            workers.append(Warm(PROGRAM, lambda folder: ENVIRONMENT))
    return workers[-1].fork(request) if workers else None
