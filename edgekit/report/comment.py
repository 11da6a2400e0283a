"""One comment for a pull request: results beside their baselines, worst rows first, within what GitHub takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.contract.result import Report
from edgekit.report import describe
from edgekit.report.formats.markdown import MARKS, _code, _escape, _table
from edgekit.verdicts.baseline import Change

MARK = "<!-- edgekit ci comment -->"  # by which the comment is found when it is written anew
MOST = 65_536  # characters of one comment; GitHub refuses more, so a text has fewer
END = 100  # characters that say how many have no room, and part the parts
COLUMNS = ("", "bundle", "device", "metric", "before", "now", "worse by", "limit")
ORDER = ("fail", "inconclusive", "pass", "better")
SIGNS = {"fail": MARKS["fail"], "inconclusive": MARKS["invalid"], "pass": MARKS["pass"], "better": "🚀"}


@dataclass(frozen=True)
class Entry:
    """A result, with how it differs from its baseline, or why nobody knows."""

    report: Report
    changes: tuple[Change, ...] = ()
    why: str = ""


def render(entries: Sequence[Entry]) -> str:
    """The text: what fails by itself, then what changed, what is worse first, then what could not be compared.

    What has no room is named by its number.
    """
    rows = [(entry, change) for entry in entries for change in entry.changes]
    rows.sort(key=lambda row: (ORDER.index(row[1].verdict), row[1].limit - row[1].worse))
    failing = [_note(entry, "fail") for entry in entries if describe.outcome(entry.report) == "fail"]
    lines = [_line(entry.report, change) for entry, change in rows]
    unknown = [_note(entry, entry.why) for entry in entries if entry.why]
    head = f"{MARK}\n### edgekit: {_counted([change for _, change in rows])}\n\n"
    table = _table(COLUMNS, [])
    left, shown = MOST - len(head) - len(table) - END, list[list[str]]()
    for part in (failing, lines, unknown):
        shown.append([text for text in part if (left := left - len(text)) >= 0])
    parts = ["".join(part) for part in shown]
    parts[1] = table + parts[1] if parts[1] else ""
    missing = len(failing) + len(lines) + len(unknown) - sum(map(len, shown))
    more = [f"{missing} more, no worse than these, have no room here.\n"] if missing else []
    return head + "\n".join(filter(None, [*parts, *more]))


def _counted(changes: Sequence[Change]) -> str:
    words = {"fail": "worse", "inconclusive": "perhaps worse", "pass": "as before", "better": "better"}
    counts = {word: sum(change.verdict == word for change in changes) for word in ORDER}
    return ", ".join(f"{count} {words[word]}" for word, count in counts.items() if count) or "nothing to compare"


def _line(report: Report, change: Change) -> str:
    cells = [
        SIGNS[change.verdict],
        _escape(describe.bundle(report)),
        _escape(describe.device(report)),
        _code(change.metric),
        describe.number(change.metric, change.before),
        describe.number(change.metric, change.after),
        f"{change.worse:+.1%}",
        f"{change.limit:.1%}",
    ]
    return f"| {' | '.join(cells)} |\n"


def _note(entry: Entry, why: str) -> str:
    """A result that fails by itself, or that has no baseline."""
    place = f"{_escape(describe.bundle(entry.report))} on {_escape(describe.device(entry.report))}"
    return f"- {MARKS[describe.outcome(entry.report)]} {place}: {_escape(why)}\n"
