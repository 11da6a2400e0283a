"""Read results back: result.json of a check, or a file of several."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edgekit import strangers
from edgekit.contract.result import Report
from edgekit.data import first_fault
from edgekit.errors import UsageError, from_oserror
from edgekit.verdicts.baseline import Baseline

MAX_BYTES = 512 * 2**20
HINT = "give a result.json that edgekit check wrote"


def reports(paths: Iterable[Path]) -> list[Report]:
    """The reports in these files, in their order.

    Raises:
        UsageError: a file that cannot be read, is no result, or is one of a newer edgekit.
    """
    return [report for path in paths for report in _reports(path)]


def report(path: Path) -> Report:
    """The one report in a file; raises as `reports`."""
    found = _reports(path)
    if len(found) != 1:
        raise UsageError(f"{path} holds {len(found)} reports, one is wanted", next=HINT)
    return found[0]


def baseline(path: Path) -> Baseline:
    """A baseline that `edgekit baseline save` wrote; raises as `reports`."""
    data = _data(path)
    try:
        return Baseline.model_validate(data, extra="ignore")
    except ValidationError as error:
        raise UsageError(f"{path} is no baseline: {_first(error)}", next="make one: edgekit baseline save") from None


def _reports(path: Path) -> list[Report]:
    data = _data(path)
    several = data.get("reports")
    try:
        found = several if isinstance(several, list) else [data]
        return [Report.model_validate(one, extra="ignore") for one in found]
    except ValidationError as error:
        raise UsageError(f"{path} is no result of a check: {_first(error)}", next=HINT) from None


def _data(path: Path) -> dict[str, Any]:
    try:
        data = strangers.from_json(path, MAX_BYTES)
        json.dumps(data, ensure_ascii=False).encode()  # half a surrogate pair could be read, but never written again
    except OSError as error:
        raise from_oserror(error, f"reading {path}", otherwise=UsageError) from None
    except ValueError as error:
        raise UsageError(f"{path} is not JSON of a result: {' '.join(str(error).split())[:200]}", next=HINT) from None
    if not isinstance(data, dict):
        raise UsageError(f"{path} is no result of a check", next=HINT)
    told = data.get("format")
    if isinstance(told, str) and told.partition(".")[0].isdigit() and told.partition(".")[0] != "1":
        raise UsageError(f"{path} is of the newer format {told[:40]}", next="pip install --upgrade edgekit-ai")
    return data


def _first(error: ValidationError) -> str:
    where, message, _ = first_fault(error)
    return f"{where}: {message.lower()}"
