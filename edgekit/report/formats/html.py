"""One self-contained HTML page: no script, no request, light and dark, for a phone, a desk and a printer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgekit import __version__, files, plain
from edgekit.contract.result import Report
from edgekit.report import describe
from edgekit.report.page import parts, plots
from edgekit.report.page.text import escape
from edgekit.results import metrics as m
from edgekit.results.measurement import Measurement, Verdict
from edgekit.results.metrics import Headline

TITLE = "a page with plots, for people"
SUFFIX = ".html"
# Nothing is loaded, whoever wrote the names in a result: the browser itself refuses it.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
FIGURES: tuple[Headline, ...] = ("speed", "first token", "memory", "size", "energy")


def render(reports: Sequence[Report]) -> str:
    """The page of one report, or of many with an overview."""
    style = files.resource("report/page/page.css").read_text(encoding="utf-8")
    title = _title(reports)
    body = [_overview(reports)] if len(reports) > 1 else []
    body += [_article(report, f"r{at}") for at, report in enumerate(reports, 1)]
    text = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n'
        f'<header class="top"><p class="eyebrow">edgekit check</p><h1>{escape(title)}</h1>{_days(reports)}</header>\n'
        f"<main>\n{''.join(body)}</main>\n"
        f"<footer>Made by edgekit {escape(__version__)} from result.json. A value that is not measured, or invalid, is "
        "never a pass. Intervals are 95 %.</footer>\n</body>\n</html>\n"
    )
    return plain.block(text)


def _title(reports: Sequence[Report]) -> str:
    if len(reports) == 1:
        return f"{describe.bundle(reports[0])} on {describe.device(reports[0])}"
    bundles = len({describe.bundle(report) for report in reports})
    devices = len({(describe.device(report), report.device.evidence) for report in reports})
    return f"{_count(bundles, 'bundle')} on {_count(devices, 'device')}"


def _days(reports: Sequence[Report]) -> str:
    days = sorted({report.conditions.started[:10] for report in reports} - {""})
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}" if days else ""
    return f"<p>{escape(span)}</p>" if span else ""


def _overview(reports: Sequence[Report]) -> str:
    """All reports as one table, then bars of what several of them have."""
    columns = ["bundle", "device", "verdict", *FIGURES]
    rows = []
    for at, report in enumerate(reports, 1):
        found = [describe.first(report, m.headlines(column)) for column in FIGURES]
        cells = [
            f'<a href="#r{at}">{escape(describe.bundle(report))}</a>',
            f"{escape(describe.device(report))} {_evidence(report)}",
            _chip(describe.outcome(report)),
            *(_figure(one) for one in found),
        ]
        rows.append(_cells(columns, cells, numbers=range(3, len(columns))))
    bars = parts.comparison(reports, "all")
    drawn = f'<div class="plots">{"".join(bars)}</div>' if bars else ""
    return (
        f'<section class="panel" aria-label="overview">{_table(columns, rows, numbers=range(3, len(columns)))}{drawn}'
        "</section>\n"
    )


def _article(report: Report, ident: str) -> str:
    where = f"{describe.device(report)} · {describe.platform(report)}"
    figures = [
        plots.distribution(report, f"{ident}-a"),
        plots.over_time(report, f"{ident}-b"),
        plots.grid(report, f"{ident}-c"),
        plots.energy(report, f"{ident}-d"),
        plots.memory(report, f"{ident}-e"),
        parts.placement(report, f"{ident}-f"),
        parts.quality(report, f"{ident}-g"),
    ]
    return (
        f'<article id="{ident}" aria-labelledby="{ident}-h">\n<div class="head">'
        f'<h2 id="{ident}-h">{escape(describe.bundle(report))}</h2>{_chip(describe.outcome(report))}'
        f"{_doubt(report)}"
        f'{_evidence(report)}<p class="where">{escape(where)}</p></div>\n'
        f"{_alerts(report)}{_tiles(report)}"
        f'<div class="plots">{"".join(figures)}</div>\n'
        f"{_measurements(report)}{_facts(report)}</article>\n"
    )


def _doubt(report: Report) -> str:
    """A result without a budget passes by its answers, though its timing may be worth nothing."""
    doubtful = report.conditions.invalid and describe.outcome(report) != "invalid"
    return _chip("invalid", "timing invalid") if doubtful else ""


def _alerts(report: Report) -> str:
    found = ""
    if not report.goldens.passed:
        said = "; ".join(report.goldens.mismatches) or "golden answers differ"
        found += f'<div class="alert bad" role="note"><b>Wrong answers.</b> {escape(said)}</div>'
    if trusted := describe.runtime(report.conditions):
        found += f'<div class="alert" role="note">{escape(trusted)}</div>'
    if why := report.conditions.invalid:
        items = "".join(f"<li>{escape(one)}</li>" for one in why)
        found += f'<div class="alert" role="note"><b>Its timing is invalid.</b><ul>{items}</ul></div>'
    return found


def _tiles(report: Report) -> str:
    tiles = []
    size = describe.first(report, m.headlines("size"))
    for one in [*describe.headlines(report), *([size] if size else [])]:
        stem, _, workload = one.metric.partition("@")
        known = m.METRICS[stem]
        name = f"{known.title}{f', {workload}' if workload else ''}"
        value = f"{one.value:,.4g}" if one.value is not None else ""
        more = describe.interval(one) or (f"{one.n:,} samples" if one.n > 1 else "")
        css = "tile" if one.valid else "tile doubtful"
        note = more if one.valid else " · ".join(filter(None, ("invalid", more)))
        tiles.append(
            f'<div class="{css}"><div class="name">{escape(name)}</div><div class="number">{value} '
            f'<small>{escape(known.unit)}</small></div><div class="more">{escape(note)}</div></div>'
        )
    return f'<div class="tiles">{"".join(tiles)}</div>\n' if tiles else ""


def _measurements(report: Report) -> str:
    columns = ["metric", "value", "95 % interval", "samples", "verdict"]
    verdicts = {one.metric: one for one in report.verdicts}
    rows = [_row(columns, one, verdicts.pop(one.metric, None)) for one in report.measurements]
    for name, verdict in verdicts.items():
        cells = [f"<code>{escape(name)}</code>", "not measured", "", "", _verdict(verdict)]
        rows.append(_cells(columns, cells, numbers=(1, 2, 3)))
    return f"<h3>Measurements</h3>{_table(columns, rows, numbers=(1, 2, 3), css='compact')}\n" if rows else ""


def _row(columns: Sequence[str], one: Measurement, verdict: Verdict | None) -> str:
    said = _verdict(verdict) if verdict else "" if one.valid else _chip("invalid")
    note = one.reason if one.valid and not (verdict and verdict.reason == one.reason) else ""
    if note:
        said += f' <span class="why">{escape(note)}</span>'
    number = describe.value(one) if one.value is not None else "not measured"
    cells = [
        f"<code>{escape(one.metric)}</code>",
        escape(number),
        escape(describe.interval(one)),
        f"{one.n:,}" if one.n else "",
        said.strip(),
    ]
    return _cells(columns, cells, numbers=(1, 2, 3), css="missing" if one.value is None else "")


def _verdict(one: Verdict) -> str:
    why = f" {one.reason}" if one.verdict == "not-measured" else ""  # what is invalid is said once, above
    return f'{_chip(one.verdict)} <span class="why">{escape(str(one.limit) + why)}</span>'


def _facts(report: Report) -> str:
    bundle, conditions = report.bundle, report.conditions
    ram = report.device.ram_mb
    rows = {
        "goldens": describe.goldens(report).removeprefix("goldens: "),
        "model": bundle.model,
        "target, recipe": f"{bundle.target}, {bundle.recipe}",
        "bundle": f"sha256 {bundle.sha256}",
        "runtime": conditions.runtime,
        "workload": conditions.workload,
        "processes": len(report.processes) or None,
        "threads": conditions.threads or "the engine's choice",
        "began": conditions.started,
        "before it began": "; ".join(conditions.before) or "as it should be",
        "memory": f"{ram:,} MB" if ram is not None else None,
        "kernels": report.device.kernels,
        "versions": ", ".join(f"{name} {version}" for name, version in report.tools.items()),
    }
    shown = "".join(f"<dt>{escape(key)}</dt><dd>{escape(str(value))}</dd>" for key, value in rows.items() if value)
    return f"<details><summary>Bundle, device and conditions</summary><dl>{shown}</dl></details>\n"


def _table(columns: Sequence[str], rows: Iterable[str], numbers: Iterable[int], css: str = "stack") -> str:
    """A table; on a phone "stack" names each cell, "compact" puts a row in two lines."""
    right = set(numbers)
    head = "".join(
        f'<th scope="col"{_css("number" if at in right else "")}>{escape(name)}</th>' for at, name in enumerate(columns)
    )
    return f'<table class="{css}"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def _cells(columns: Sequence[str], cells: Sequence[str], numbers: Iterable[int], css: str = "") -> str:
    """A row; on a phone each cell carries its column's name. Cells are HTML already."""
    right = set(numbers)
    inside = [f"<span>{cell}</span>" if cell else "" for cell in cells]
    inner = "".join(
        f'<td data-name="{escape(name)}"{_css("number" if at in right else "")}>{cell}</td>'
        for at, (name, cell) in enumerate(zip(columns, inside, strict=True))
    )
    return f"<tr{_css(css)}>{inner}</tr>"


def _css(name: str) -> str:
    return f' class="{name}"' if name else ""


def _figure(one: Measurement | None) -> str:
    if one is None:
        return ""
    text = escape(describe.value(one))
    return text if one.valid else f'{text} <span class="why">invalid</span>'


def _chip(word: str, text: str = "") -> str:
    return f'<span class="chip {escape(word)}">{escape(text or word)}</span>'


def _evidence(report: Report) -> str:
    words = (report.proof, report.device.evidence)
    return " ".join(f'<span class="chip">{escape(word)}</span>' for word in words)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
