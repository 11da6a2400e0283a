"""The results of a project beside the baselines of its main branch, each by its bundle and its device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.contract.result import Report
from edgekit.errors import NotMeasured, UsageError
from edgekit.report.comment import Entry
from edgekit.verdicts import baseline, read
from edgekit.verdicts.baseline import Baseline


def baselines(folder: Path) -> list[Baseline]:
    """Those in a folder, and in folders below it; none where there is no such folder, as before the first was saved.

    Raises:
        UsageError: a file that is no baseline, or no folder.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is no folder", next="give the folder that holds the files of edgekit baseline save")
    return [read.baseline(path) for path in sorted(folder.rglob("*.baseline.json"))]


def entries(reports: Sequence[Report], known: Sequence[Baseline]) -> list[Entry]:
    """Each result with what changed since its baseline: that of its bundle, which may be compared."""
    return [_entry(report, [each for each in known if each.bundle.name == report.bundle.name]) for report in reports]


def _entry(report: Report, known: Sequence[Baseline]) -> Entry:
    why = "no baseline was saved"
    for each in known:
        try:
            return Entry(report, baseline.compare(each, report))
        except NotMeasured as error:
            why = error.message
    return Entry(report, why=why)
