"""`python -m edgekit.jobs NAME REQUEST`: run a conversion job by the job contract.

A conversion is a module here with `convert(source, out, on_event, **options) -> outcome`: it fills the
existing, empty folder `out` from the file or folder `source`, and says what takes time.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from edgekit import registry, used
from edgekit.used import Emit


def main(name: str, request: Path) -> int:
    """Serve one request; returns the exit code."""
    job = registry.named(f"edgekit.jobs.{name}")

    def handle(asked: dict[str, Any], emit: Emit) -> dict[str, Any]:
        source, out = Path(asked.pop("source")), Path(asked.pop("out"))
        outcome: dict[str, Any] = job.convert(source, out, lambda text: emit("progress", text=text), **asked)
        return outcome

    return used.serve(handle, request)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
