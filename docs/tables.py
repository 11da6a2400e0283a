"""The tables of docs/metrics.md, models.md, lint.md and choosing.md: python docs/tables.py rewrites them in place.

They are made from results/metrics.py, sources/facts/architectures.py, the rules in lint/, and fit/speeds.py.
"""

from __future__ import annotations

import re
from math import isfinite
from pathlib import Path
from statistics import median

from edgekit.fit import memory, speeds
from edgekit.lint import rules
from edgekit.results.metrics import METRICS, Metric
from edgekit.sources.facts.architectures import TABLE

PAGE = Path(__file__).parent / "metrics.md"
MODELS = Path(__file__).parent / "models.md"
LINT = Path(__file__).parent / "lint.md"
CHOOSING = Path(__file__).parent / "choosing.md"
MEMORY = re.compile(r"<!-- memory -->\n.*?<!-- end -->", re.DOTALL)
SPEEDS = re.compile(r"<!-- speeds -->\n.*?<!-- end -->", re.DOTALL)
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


def choosing(text: str) -> str:
    """The page of choosing with its predictions made anew."""
    lines = ["| device | model | figure | published | predicted | off by |\n|---|---|---|---|---|---|\n"]
    units: dict[speeds.Quantity, str] = {"decode_tps": "{:.3g} tokens/s", "ttft_s": "first token after {:.2f} s"}
    for each in speeds.figures():
        if each.fitted:
            predicted, off = "fitted" if each.ideal else "unknown, and not fitted", ""
        else:
            predicted = "unknown" if each.predicted is None else units[each.quantity].format(each.predicted)
            off = "" if each.factor is None else f"{each.factor:.2f}"
        what = "answer" if each.quantity == "decode_tps" else "512-token prompt"
        cells = (each.device, each.model, what, units[each.quantity].format(each.measured), predicted, off)
        lines.append(f"| {' | '.join(cells)} |\n")
    made = "".join(lines) + "".join(f"\n{_held(quantity)}\n" for quantity in speeds.WITHIN)
    text = MEMORY.sub(lambda match: f"<!-- memory -->\n{_memory()}<!-- end -->", text)
    return SPEEDS.sub(lambda match: f"<!-- speeds -->\n{made}<!-- end -->", text)


def _memory() -> str:
    """The bundles whose memory was measured, and what is predicted of those that were not fitted."""
    run, shown = memory.measured(), memory.figures()
    lines = ["| recipe | prompt | measured | predicted | off by |\n|---|---|---|---|---|\n"]
    for each in shown:
        predicted = "fitted" if each.predicted is None else f"{each.predicted / 1e6:.0f} MB"
        off = "" if each.error is None else f"{each.error:.1%}"
        row = each.row
        cells = (row.recipe, f"{row.tokens} tokens", f"{row.measured / 1e6:.0f} MB", predicted, off)
        lines.append(f"| {' | '.join(cells)} |\n")
    errors = [each.error for each in shown if each.error is not None]
    said = f"{median(errors):.1%} off in the median, {max(errors):.1%} at worst"
    lines.append(f"\n{run.model} on linux-cpu ({run.machine}), {run.date}: {len(errors)} predictions, {said}.\n")
    return "".join(lines)


def _held(quantity: speeds.Quantity) -> str:
    """How well the figures that were not fitted are predicted, in a sentence."""
    others = [each for each in speeds.figures() if each.quantity == quantity and not each.fitted]
    off = [each.factor for each in others if each.factor is not None]
    within = sum(each <= speeds.WITHIN[quantity] for each in off)
    name = {"decode_tps": "Answers", "ttft_s": "First tokens"}[quantity]
    errors = f"off by a factor of {median(off):.2f} in the median, {max(off):.2f} at worst" if off else "none"
    used = "they are used" if speeds.trusted(quantity) else "so `unknown` is printed instead"
    return (
        f"{name}: of the {len(others)} figures that were not fitted {len(others) - len(off)} cannot be predicted, as a "
        f"fact of their device is not published; of the {len(off)} that are predicted {within} lie within a factor of "
        f"{speeds.WITHIN[quantity]:g}, {errors}: {used}."
    )


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    MODELS.write_text(models(MODELS.read_text(encoding="utf-8")), encoding="utf-8")
    CHOOSING.write_text(choosing(CHOOSING.read_text(encoding="utf-8")), encoding="utf-8")
    LINT.write_text(lint_page(LINT.read_text(encoding="utf-8")), encoding="utf-8")
