"""The tables of docs/metrics.md, docs/models.md and docs/lint.md: python docs/tables.py rewrites them in place.

They are made from results/metrics.py, sources/facts/architectures.py and the rules in lint/.
"""

from __future__ import annotations

import re
from math import isfinite
from pathlib import Path

from edgekit.lint import rules
from edgekit.results.metrics import METRICS, Metric
from edgekit.sources.facts.architectures import TABLE

PAGE = Path(__file__).parent / "metrics.md"
MODELS = Path(__file__).parent / "models.md"
LINT = Path(__file__).parent / "lint.md"
RULES = re.compile(r"<!-- rules -->\n.*?<!-- end -->", re.DOTALL)
ARCHITECTURES = re.compile(r"<!-- architectures -->\n.*?<!-- end -->", re.DOTALL)
BLOCK = re.compile(r"<!-- metrics of a (?P<by>[a-z]+) -->\n.*?<!-- end -->", re.DOTALL)


def table(found_by: str) -> str:
    """The metrics that a check, a gate or a build finds, as a Markdown table."""
    rows = [_row(one) for one in METRICS.values() if one.found_by == found_by]
    return "| metric | unit | better | models | what |\n|---|---|---|---|---|\n" + "".join(rows)


def _row(metric: Metric) -> str:
    names = [f"`{metric.name}@{place}`" if place else f"`{metric.name}`" for place in metric.places]
    low, high = metric.range
    unit = ", ".join(filter(None, (metric.unit, f"{low:g} to {high:g}" if isfinite(high) else "")))
    cells = ("<br>".join(names), unit, metric.better, ", ".join(metric.kinds) or "all", metric.what)
    return f"| {' | '.join(cells)} |\n"


def page(text: str) -> str:
    """The page with its tables made anew."""
    return BLOCK.sub(lambda match: f"<!-- metrics of a {match['by']} -->\n{table(match['by'])}<!-- end -->", text)


def models(text: str) -> str:
    """The page of models with its table made anew."""
    order = ("builds", "text part", "no")
    rows = sorted(TABLE.items(), key=lambda item: (order.index(item[1].answer), item[0]))
    lines = [f"| `{name}` | {row.answer} | {row.members} | {row.reason} |\n" for name, row in rows]
    made = "| class in config.json | answer | published as | why |\n|---|---|---|---|\n" + "".join(lines)
    return ARCHITECTURES.sub(lambda match: f"<!-- architectures -->\n{made}<!-- end -->", text)


def lint_page(text: str) -> str:
    """The page of lint with its table made anew."""
    lines = [
        f"| `{name}` | {rule.severity} | {', '.join(rule.kinds)} | {rule.what} | {rule.next.replace('|', ' ')} "
        f"([source]({rule.source})) |\n"
        for name, rule in rules().items()
    ]
    made = "| rule | severity | asked of | the fault | what to do |\n|---|---|---|---|---|\n" + "".join(lines)
    made = made.replace("<uses", "`<uses").replace("<provider", "`<provider").replace("/>", "/>`")
    return RULES.sub(lambda match: f"<!-- rules -->\n{made}<!-- end -->", text)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    MODELS.write_text(models(MODELS.read_text(encoding="utf-8")), encoding="utf-8")
    LINT.write_text(lint_page(LINT.read_text(encoding="utf-8")), encoding="utf-8")
