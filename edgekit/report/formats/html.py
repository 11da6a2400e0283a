"""One self-contained HTML page: no script, no request, light and dark, for a phone, a desk and a printer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

from edgekit import __version__
from edgekit.report import describe, metrics
from edgekit.report.measurement import Measurement, Report, Verdict
from edgekit.report.page import parts, plots

TITLE = "a page with plots, for people"
SUFFIX = ".html"
# Nothing is loaded, whoever wrote the names in a result: the browser itself refuses it.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
NAMES = {
    "decode_tps": "decoding",
    "latency_p50_ms": "median latency",
    "throughput_ips": "throughput",
    "ttft_ms": "time to first token",
    "peak_footprint_mb": "peak memory",
    "peak_rss_mb": "peak resident set",
    "bundle_mb": "size of the bundle",
    "energy_j_per_token": "energy of a token",
    "energy_j_per_inference": "energy of an inference",
}


def render(reports: Sequence[Report]) -> str:
    """The page of one report, or of many with an overview."""
    style = files("edgekit.report.page").joinpath("page.css").read_text(encoding="utf-8")
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
    return CONTROL.sub("?", text)


def _title(reports: Sequence[Report]) -> str:
    if len(reports) == 1:
        return f"{describe.bundle(reports[0])} on {describe.device(reports[0])}"
    bundles = len({describe.bundle(report) for report in reports})
    devices = len({(describe.device(report), report.device["evidence"]) for report in reports})
    return f"{_count(bundles, 'bundle')} on {_count(devices, 'device')}"


def _days(reports: Sequence[Report]) -> str:
    days = sorted({str(report.conditions.get("started", ""))[:10] for report in reports} - {""})
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}" if days else ""
    return f"<p>{escape(span)}</p>" if span else ""


def _overview(reports: Sequence[Report]) -> str:
    """All reports as one table, then bars of what several of them have."""
    columns = ["bundle", "device", "verdict", "speed", "first token", "memory", "size", "energy"]
    wanted = [*describe.HEADLINES[:3], ("bundle_mb",), describe.ENERGY]
    rows = []
    for at, report in enumerate(reports, 1):
        found = [describe.first(report, choices) for choices in wanted]
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
    doubtful = report.conditions.get("invalid") and describe.outcome(report) != "invalid"
    return _chip("invalid", "timing invalid") if doubtful else ""


def _alerts(report: Report) -> str:
    found = ""
    if not report.goldens["passed"]:
        said = "; ".join(report.goldens["mismatches"]) or "golden answers differ"
        found += f'<div class="alert bad" role="note"><b>Wrong answers.</b> {escape(said)}</div>'
    if why := report.conditions.get("invalid"):
        items = "".join(f"<li>{escape(str(one))}</li>" for one in why)
        found += f'<div class="alert" role="note"><b>Its timing is invalid.</b><ul>{items}</ul></div>'
    return found


def _tiles(report: Report) -> str:
    tiles = []
    size = describe.first(report, ("bundle_mb",))
    for one in [*describe.headlines(report), *([size] if size else [])]:
        stem, _, workload = one.metric.partition("@")
        known = metrics.METRICS[stem]
        name = f"{NAMES.get(stem, stem)}{f', {workload}' if workload else ''}"
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
    return f'{_chip(one.verdict)} <span class="why">{escape(describe.limit(one.limit) + why)}</span>'


def _facts(report: Report) -> str:
    bundle, conditions = report.bundle, report.conditions
    ram = report.device.get("ram_mb")
    rows = {
        "goldens": describe.goldens(report).removeprefix("goldens: "),
        "model": bundle.get("model"),
        "target, recipe": f"{bundle.get('target')}, {bundle.get('recipe')}",
        "bundle": f"sha256 {bundle.get('sha256')}",
        "workload": conditions.get("workload"),
        "processes": len(report.processes) or None,
        "threads": conditions.get("threads") or "the engine's choice",
        "began": conditions.get("started"),
        "before it began": "; ".join(conditions.get("before", ())) or "as it should be",
        "memory": f"{ram:,} MB" if isinstance(ram, int) else None,
        "kernels": report.device.get("kernels"),
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
    return f'<span class="chip">{escape(str(report.device["evidence"]))}</span>'


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
