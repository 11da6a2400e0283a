"""Pictures that are files of their own: whole SVG, colours for both schemes, every figure and name in them."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from edgekit.report import chart, frontier
from edgekit.report.chart import Panel
from edgekit.report.frontier import Point

pytestmark = pytest.mark.unit

SVG = "{http://www.w3.org/2000/svg}"
EVIL = '</style><script>alert(1)</script>&"\u202e'
LONG = "out/a/very/long/folder/name/that/nobody/needs/smollm2-135m-instruct-linux-cpu"


def drawn(text: str) -> ElementTree.Element:
    """The picture, parsed; it loads nothing and runs nothing."""
    root = ElementTree.fromstring(text)
    assert {node.tag.removeprefix(SVG) for node in root.iter()} <= {
        *("svg", "title", "desc", "style", "text", "polyline", "rect", "circle", "polygon")
    }
    assert "url(" not in text and "@import" not in text and "var(" not in text
    return root


def words(root: ElementTree.Element) -> list[str]:
    return [node.text or "" for node in root.iter(f"{SVG}text")]


def test_a_comparison_has_a_bar_for_each_figure_and_marks_the_best() -> None:
    panels = [Panel("bundle_mb, MB", (131.8, 65.9, None), 1), Panel("kl_mean", (0.05, 0.012, 0.2))]
    root = drawn(chart.draw([LONG, "b", "c"], panels))
    assert {"131.8", "65.9 (best)", "not measured", "0.012", "bundle_mb, MB"} <= set(words(root))
    wide = [float(bar.get("width", "0")) for bar in root.iter(f"{SVG}rect") if "dot" in bar.get("class", "")]
    assert wide[1] == pytest.approx(wide[0] / 2, abs=0.1) and wide[2] == 0 and len(wide) == 6
    assert any(word.startswith("…") and word.endswith("linux-cpu") for word in words(root))


def test_a_ladder_has_its_points_the_limit_and_the_chosen_recipe() -> None:
    points = [Point("int4_rtn", 81, 0.21), Point("int4_mixed", 130, 0.05, chosen=True), Point("int8_rtn", 150, 0.008)]
    root = drawn(frontier.draw({"recipes": points}, title="for linux-cpu", metric="kl_mean", limit=0.15))
    assert {"int4_rtn", "int8_rtn", "limit 0.15", "kl_mean"} <= set(words(root))
    (chosen,) = [node for node in root.iter(f"{SVG}text") if node.text == "int4_mixed"]
    assert chosen.get("class") == "mark"
    x, y = ([float(dot.get(key, "0")) for dot in root.iter(f"{SVG}circle")] for key in ("cx", "cy"))
    assert x == sorted(x) and y == sorted(y)  # larger is better: further right, further down
    assert len(list(root.iter(f"{SVG}circle"))) == 3


def test_labels_of_equal_points_do_not_cover_each_other() -> None:
    root = drawn(frontier.draw({"a": [Point(f"recipe{at}", 100, 1) for at in range(3)]}, title="t", metric="m"))
    lines = [float(node.get("y", "0")) for node in root.iter(f"{SVG}text") if (node.text or "").startswith("recipe")]
    assert min(abs(upper - lower) for upper in lines for lower in lines if upper != lower) >= 12


def test_both_schemes_have_their_colours() -> None:
    text = frontier.draw({"a": [Point("x", 1, 1)]}, title="t", metric="m")
    light, dark = text.split("prefers-color-scheme: dark")
    assert ".dot1 { fill: #2f6bd8; }" in light and ".dot1 { fill: #7fa9f5; }" in dark


def test_a_strangers_names_are_text() -> None:
    for text in (
        chart.draw([EVIL], [Panel(EVIL, (1.0,))]),
        frontier.draw({EVIL: [Point(EVIL, 1, 1)], "b": []}, title=EVIL, metric=EVIL),
    ):
        drawn(text)
        assert "<script" not in text and "\u202e" not in text
