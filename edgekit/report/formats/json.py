"""The reports as edgekit itself reads them: result.json, or a list of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.contract.result import Report
from edgekit.data import jsonable, pretty

TITLE = "everything, for programs"
SUFFIX = ".json"


def render(reports: Sequence[Report]) -> str:
    """One report, or {"format", "reports"} of several."""
    found: list[dict[str, Any]] = [jsonable(report) for report in reports]
    return pretty(found[0] if len(found) == 1 else {"format": "1.0", "reports": found})
