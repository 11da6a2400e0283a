"""A picture as a file of its own: an SVG with the page's colours, light or dark as its reader is."""

from __future__ import annotations

import re
from functools import cache

from edgekit import files, plain
from edgekit.report.page.svg import Canvas

_VALUE = re.compile(r"(--[a-z-]+): (#[0-9a-f]{6})")
_USED = re.compile(r"var\((--[a-z-]+)\)")
_RULE = re.compile(r"^svg (.+ \{ .+ \})$", re.MULTILINE)


def svg(canvas: Canvas, title: str, description: str) -> str:
    """The whole file; needs nothing beside it."""
    inner = canvas.svg(title, description, "picture")
    size = f'width="{canvas.wide:.0f}" height="{canvas.height:.0f}"'
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" {size} '
    paper = '<rect width="100%" height="100%" class="paper"/>'
    style = f"<style>{_style()}</style>"
    return plain.block(inner.replace("<svg ", opening, 1).replace("</desc>", f"</desc>{style}{paper}", 1) + "\n")


@cache
def _style() -> str:
    """The rules of page.css for plots, with its colours written out: not every program knows variables."""
    css = files.resource("report/page/page.css").read_text(encoding="utf-8")
    light, dark = css.split("prefers-color-scheme: dark", 1)
    rules = [*_RULE.findall(css), ".paper { fill: var(--card); }", "text { font-family: sans-serif; }"]
    colours = "\n".join(_written(rule, light) for rule in rules)
    inverse = "\n".join(_written(rule, dark) for rule in rules if "var(" in rule)
    return f"\n{colours}\n@media (prefers-color-scheme: dark) {{\n{inverse}\n}}\n"


def _written(rule: str, palette: str) -> str:
    values = dict(reversed(_VALUE.findall(palette.partition("\n* {")[0])))
    return _USED.sub(lambda use: values[use[1]], rule)
