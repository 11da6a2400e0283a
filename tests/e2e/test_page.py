"""The HTML page in a real browser, headless, at the widths of a phone and of a desk, light and dark."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from edgekit.data import jsonable
from edgekit.report import formats
from tests import needs
from tests.peers.browser import DESK, PHONE, Tab, chromium
from tests.unit.report import samples

pytestmark = pytest.mark.tools

LOOKS = [(PHONE, False), (PHONE, True), (DESK, False), (DESK, True)]
NAMES = ["phone", "phone-dark", "desk", "desk-dark"]
BOXES = """
JSON.stringify([...document.querySelectorAll('svg')].map(svg => {
  const box = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll('text')].map(text => {
    const inner = text.getBoundingClientRect();
    return {text: text.textContent, left: inner.left - box.left, right: box.right - inner.right, height: inner.height};
  });
  const marks = svg.querySelectorAll('rect,circle,polyline').length;
  return {left: box.left, width: box.width, height: box.height, marks, texts};
}))
"""
CONTRAST = """
(() => {
  const parse = color => color.match(/[0-9.]+/g).map(Number);
  const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const found = [...document.querySelectorAll('p,td,th,dt,dd,h1,h2,h3,a,li,span,b,summary,code,text,small,footer')]
    .filter(one => one.textContent.trim() && one.getBoundingClientRect().width > 1)
    .map(one => {
      const style = getComputedStyle(one);
      const front = light(parse(one.tagName === 'text' ? style.fill : style.color)), back = light(behind(one));
      const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
      return {ratio, text: one.textContent.slice(0, 40)};
    });
  return JSON.stringify(found.filter(one => one.ratio < 4.5).slice(0, 5));
})()
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    """Debian's chromium; where there is none the tests are skipped, on CI they fail."""
    program = shutil.which("chromium")
    if program is None:
        needs.unavailable("chromium is not installed: make test-tools installs it")
    with chromium(Path(program)) as tab:
        yield tab


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a page of three synthetic reports: every kind of plot there is."""
    path = tmp_path_factory.mktemp("page") / "reports.html"
    path.write_text(formats.render("html", [samples.phone(), samples.host(), samples.llm()]), encoding="utf-8")
    return path.as_uri()


@pytest.mark.parametrize(("size", "dark"), LOOKS, ids=NAMES)
def test_nothing_is_requested_and_nothing_complained_about(
    size: tuple[int, int], dark: bool, browser: Tab, page: str
) -> None:
    browser.open(page, size, dark=dark)
    assert browser.requests == [page] and browser.complaints == []
    assert browser.evaluate("document.documentElement.scrollWidth") <= size[0]  # nobody scrolls sideways


@pytest.mark.parametrize(("size", "dark"), LOOKS[::2], ids=NAMES[::2])
def test_every_plot_is_seen_and_its_text_can_be_read(
    size: tuple[int, int], dark: bool, browser: Tab, page: str
) -> None:
    browser.open(page, size, dark=dark)
    plots: list[dict[str, Any]] = json.loads(browser.evaluate(BOXES))
    assert len(plots) >= 18
    for plot in plots:
        assert plot["width"] >= 280 and plot["height"] >= 50 and plot["left"] >= 0
        assert plot["left"] + plot["width"] <= size[0] and plot["marks"] > 0
        for text in plot["texts"]:
            assert text["height"] >= 10.5, text  # pixels of a line
            assert text["left"] >= -1 and text["right"] >= -1, text  # nothing is cut off


@pytest.mark.parametrize(("size", "dark"), LOOKS, ids=NAMES)
def test_text_stands_out_from_what_is_behind_it(size: tuple[int, int], dark: bool, browser: Tab, page: str) -> None:
    """WCAG 2.1, 1.4.3: at least 4.5 to 1."""
    browser.open(page, size, dark=dark)
    assert json.loads(browser.evaluate(CONTRAST)) == []


def test_dark_is_dark_and_light_is_light(browser: Tab, page: str, tmp_path: Path) -> None:
    levels = {}
    for dark in (False, True):
        browser.open(page, DESK, dark=dark)
        browser.screenshot(tmp_path / "page.png")
        with Image.open(tmp_path / "page.png") as shot:
            levels[dark] = shot.convert("L").resize((1, 1)).getpixel((0, 0))
            colours = shot.convert("RGB").getcolors(1 << 24) or []
            assert len(colours) > 200  # plots, not an empty sheet
    assert levels[True] < 64 < 192 < levels[False]


def test_a_real_result_becomes_a_page(browser: Tab, catalogue_bundle: Callable[[str], Path], tmp_path: Path) -> None:
    """check writes the page itself, and report joins it with others."""
    bundle = catalogue_bundle("swift-f0")
    command = [sys.executable, "-m", "edgekit", "check", bundle, "--quick", "-q", "-o", tmp_path / "one.html"]
    own = {**os.environ, "EDGEKIT_CACHE": str(tmp_path / "cache")}  # its lock: other tests check on this machine too
    subprocess.run(command, check=True, capture_output=True, env=own)
    other = tmp_path / "phone.json"
    other.write_text(json.dumps(jsonable(samples.phone())), encoding="utf-8")
    result = bundle.with_name(f"{bundle.name}.result.json")
    joined = [sys.executable, "-m", "edgekit", "report", result, other, "-o", tmp_path / "two.html"]
    subprocess.run(joined, check=True, capture_output=True)
    for name, articles in (("one", 1), ("two", 2)):
        browser.open((tmp_path / f"{name}.html").as_uri(), PHONE)
        assert browser.evaluate("document.querySelectorAll('article').length") == articles
        assert browser.evaluate("document.querySelectorAll('svg').length") >= 4 * articles
        assert len(browser.requests) == 1 and browser.complaints == []
