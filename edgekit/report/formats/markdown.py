"""Markdown for the summary of a CI run (GitHub's $GITHUB_STEP_SUMMARY, GitLab, a pull request's comment)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgekit import plain
from edgekit.contract.result import Report
from edgekit.report import describe
from edgekit.results.measurement import Measurement, Verdict

TITLE = "a summary, for CI logs and pull requests"
SUFFIX = ".md"
# What Markdown takes for a mark inside a line; a stranger's text never begins one.
PUNCTUATION = re.compile(r"[\\`*_{}\[\]<>|~&$^]")
# Where GitHub or GitLab would make a link, a person or an issue of a word. They look at words once Markdown is done
# with its marks, so a backslash does not help; an empty comment parts the word.
LINKED = re.compile(r"(?<=[@#!$%&~])(?=\w)|(?<=:)(?=//)|(?<=(?i:www))(?=\.)|(?<=(?i:gh-))(?=\d)")
MARKS = {"pass": "✅", "fail": "❌", "not-measured": "❔", "invalid": "⚠️"}


def render(reports: Sequence[Report]) -> str:
    """A table of all reports, then what each measured."""
    parts = [_overview(reports)] if len(reports) > 1 else []
    parts += [_one(report) for report in reports]
    return "\n".join(parts)


def _overview(reports: Sequence[Report]) -> str:
    rows = [
        [
            _escape(describe.bundle(report)),
            _escape(describe.device(report)),
            _escape(report.device.evidence),
            _outcome(report),
            *(f"{_code(one.metric)} {describe.value(one)}" for one in describe.headlines(report)[:1]),
        ]
        for report in reports
    ]
    return f"## edgekit check\n\n{_table(['bundle', 'device', 'evidence', 'verdict', 'speed'], rows)}"


def _one(report: Report) -> str:
    lines = [
        f"### {_escape(describe.bundle(report))} on {_escape(describe.device(report))}: {_outcome(report)}",
        "",
        f"{_escape(report.proof)} · evidence: {_escape(report.device.evidence)} · "
        f"{_escape(describe.platform(report))} · {_escape(describe.goldens(report))}",
        "",
    ]
    if trusted := describe.runtime(report.conditions):
        lines += [f"> {MARKS['invalid']} {trusted}", ""]
    if why := report.conditions.invalid:
        lines += [*(f"> {MARKS['invalid']} invalid: {_escape(one)}" for one in why), ""]
    verdicts = {one.metric: one for one in report.verdicts}
    rows = [_row(one, verdicts.pop(one.metric, None)) for one in report.measurements]
    rows += [[_code(name), "", "", _verdict(one)] for name, one in verdicts.items()]
    if rows:
        lines.append(_table(["metric", "value", "95 % interval", "verdict"], rows))
    tools = ", ".join(f"{name} {version}" for name, version in report.tools.items())
    lines.append(f"<sub>{_escape(tools)}</sub>\n")
    return "\n".join(lines)


def _row(one: Measurement, verdict: Verdict | None) -> list[str]:
    said = _verdict(verdict) if verdict else "" if one.valid else f"{MARKS['invalid']} invalid"
    why = _escape(one.reason) if one.value is None else ""
    return [_code(one.metric), describe.value(one), describe.interval(one), said or why]


def _verdict(one: Verdict) -> str:
    why = f": {_escape(one.reason)}" if one.verdict == "not-measured" else ""  # what is invalid is said once, above
    return f"{MARKS[one.verdict]} {one.verdict} ({_escape(str(one.limit))}){why}"


def _outcome(report: Report) -> str:
    word = describe.outcome(report)
    return f"{MARKS[word]} {word}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the cells are Markdown already."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in lines)


def _code(name: str) -> str:
    """A metric's name; as code, or "@pp128" would call for a person of that name."""
    return f"`{plain.cell(name).replace('`', '?').replace('|', '?')}`"


def _escape(text: str) -> str:
    """A stranger's text: no column, no line, no HTML, no link, nobody called."""
    parts = LINKED.split(" ".join(plain.cell(text).split()))
    return "<!-- -->".join(PUNCTUATION.sub(lambda mark: f"\\{mark[0]}", part) for part in parts)
