"""The formats: what each holds, that hostile names stay harmless, and that a page asks nobody for anything."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt

from edgekit import plain
from edgekit.contract.result import Report
from edgekit.errors import UsageError
from edgekit.report import describe, formats
from edgekit.results.measurement import Verdict
from edgekit.results.metrics import Limit
from edgekit.verdicts import read
from tests.unit.report import samples

pytestmark = pytest.mark.unit

ALL = [samples.phone(), samples.host(), samples.llm()]
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>|`@everyone` [a](http://b) ]]>\x00\x1b[31m\ud7ff"
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Collects elements; every one must be closed in its order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        self.ids += [str(value) for key, value in attrs if key == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()


def page(*reports: Report) -> tuple[str, Page]:
    text = formats.render("html", reports)
    found = Page()
    found.feed(text)
    assert found.open == []
    return text, found


def hostile() -> Report:
    """A report whose every name comes from somebody who means no good."""
    report = samples.llm()
    return report.model_copy(
        update={
            "bundle": report.bundle.model_copy(update={"name": EVIL, "target": EVIL, "model": EVIL}),
            "device": report.device.model_copy(update={"model": EVIL, "cpu": EVIL, "os_version": EVIL}),
            "tools": {EVIL: EVIL},
            "conditions": report.conditions.model_copy(update={"invalid": (EVIL,), "started": EVIL, "before": (EVIL,)}),
            "goldens": report.goldens.model_copy(update={"passed": False, "mismatches": (EVIL,)}),
        }
    )


def test_every_format_has_an_ending_of_its_own() -> None:
    assert [formats.by_suffix(Path(f"x{formats.load(name).SUFFIX}")) for name in formats.names()] == formats.names()
    with pytest.raises(UsageError, match="does not say its format"):
        formats.by_suffix(Path("report.pdf"))
    with pytest.raises(UsageError, match="did you mean 'junit'"):
        formats.load("junitt")


@pytest.mark.parametrize("name", formats.names())
def test_a_format_takes_one_report_and_many_and_is_the_same_each_time(name: str) -> None:
    assert formats.render(name, ALL[:1]) and formats.render(name, ALL) == formats.render(name, ALL)
    formats.render(name, [hostile()]).encode()  # can be written


def test_json_is_read_back(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(formats.render("json", ALL[:1]), encoding="utf-8")
    (tmp_path / "all.json").write_text(formats.render("json", ALL), encoding="utf-8")
    assert read.report(tmp_path / "one.json") == ALL[0]
    assert read.reports([tmp_path / "one.json", tmp_path / "all.json"]) == [ALL[0], *ALL]
    with pytest.raises(UsageError, match="holds 3 reports"):
        read.report(tmp_path / "all.json")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not JSON"),
        ("[1]", "no result"),
        ("{}", "no result"),
        ('{"format": "2.0"}', "newer format"),
        ("[" * 100000, "is not JSON"),
        ('{"reports": [{"bundle": 1}]}', "no result"),
        ('{"bundle": "\\ud800"}', "is not JSON"),
    ],
)
def test_what_is_no_result_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UsageError, match=said):
        read.reports([tmp_path / "x.json"])
    with pytest.raises(UsageError):
        read.baseline(tmp_path / "x.json")
    with pytest.raises(UsageError):
        read.reports([tmp_path / "none.json"])


def test_junit_counts_failures_and_what_was_not_measured() -> None:
    root = ElementTree.fromstring(formats.render("junit", ALL))
    assert [suite.get("tests") for suite in root] == ["1", "2", "3"]
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("6", "1", "1")
    failure = root.find(".//testcase[@name='latency_p50_ms']/failure")
    assert failure is not None and "above the limit of 3" in str(failure.get("message"))
    error = root.find(".//testcase[@name='power_avg_w']/error")
    assert error is not None and error.get("type") == "not-measured"
    assert root.find(".//testcase[@name='decode_tps']/*") is None  # passed
    assert root.find(".//property[@name='itl_p50_ms']") is not None


def test_junit_of_wrong_answers_is_a_failure_and_survives_hostile_names() -> None:
    root = ElementTree.fromstring(formats.render("junit", [hostile()]))
    assert root.find(".//testcase[@name='goldens']/failure") is not None
    assert "<script>" in str(root[0].get("name"))  # as text


def test_markdown_has_an_overview_and_every_metric() -> None:
    text = formats.render("markdown", ALL)
    assert text.startswith("## edgekit check") and "❌ fail (&lt;= 3)" not in text
    assert text.count("### ") == 3 and "`decode_tps@m5`" in text and "❔ not-measured" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) > 20 and {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5, 6}


# A stranger's text, and what must not come of it in the page that a Markdown renderer makes.
MARKDOWN = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!-- hidden",
    "--> shown",
    "[a](http://evil)",
    "![a](http://evil/x.png)",
    "[a]: http://evil",
    "<http://evil>",
    "http://evil",
    "HTTPS://evil",
    "www.evil.com",
    "WWW.evil.com",
    "mail@evil.com",
    "@everyone",
    "x @org/team, @user",
    "#123 org/repo#4 GH-5 gh-6 !7",
    "&#64;user &lt;b&gt; &commat;user",
    "| a | b |",
    "\\| a \\\\| b",
    "`code` ``` fence",
    "**bold** _emphasis_ ~~gone~~ $x^2$",
    "# heading\n# heading",
    "a\n\n---\n\n> quote\n- item\n1. one\n```\nfence",
    "\\",
    "trailing \\\\\\",
    "\u202egnp.exe\x1b[31m\u2028# heading",
    "<details><summary>x</summary>",
    "</sub></td></table>",
    "    indented code",
)


TOLD = ("model", "cpu", "soc", "os", "os_version", "abi", "kernel", "governor", "kernels", "thermal_state")


def evil(text: str) -> Report:
    """A report with this text wherever a stranger's may stand."""
    report = hostile()
    odd = report.measurements[0].model_copy(update={"metric": text, "value": None, "reason": text})
    limit = Verdict(metric=text, verdict="not-measured", limit=Limit(min=1.0), reason=text)
    return report.model_copy(
        update={
            "bundle": report.bundle.model_copy(update={"name": text, "target": text, "model": text, "sha256": text}),
            "device": report.device.model_copy(update=dict.fromkeys(TOLD, text)),
            "tools": {text: text},
            "conditions": report.conditions.model_copy(update={"invalid": (text,), "started": text, "before": (text,)}),
            "goldens": report.goldens.model_copy(update={"compared": 1, "rule": text, "mismatches": (text,)}),
            "measurements": (*report.measurements, odd),
            "verdicts": (*report.verdicts, limit),
        }
    )


class Rendered(HTMLParser):
    """The tags and the runs of text of a page that Markdown became."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.runs: list[str] = []
        self.in_code = 0
        html = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.in_code += tag == "code"

    def handle_endtag(self, tag: str) -> None:
        self.in_code -= tag == "code"

    def handle_data(self, data: str) -> None:
        if not self.in_code:
            self.runs.append(data)


@pytest.mark.parametrize("text", MARKDOWN)
def test_markdown_takes_a_strangers_text_for_text(text: str) -> None:
    plain_text = Rendered(formats.render("markdown", [evil("x"), samples.llm()]))
    found = Rendered(formats.render("markdown", [evil(text), samples.llm()]))
    assert found.tags == plain_text.tags  # no element more, none less
    for run in found.runs:
        assert not re.search(r"@\w|#\d|!\d|(?i:gh-\d|https?://|www\.)", run), run
    assert not plain.UNSAFE.search("".join(found.runs))


@pytest.mark.parametrize("text", [*MARKDOWN, "\" onload=alert(1) '", "]]><x/>", "<?x?>", "\ufffe\ud800\x0b"])
def test_html_and_junit_take_a_strangers_text_for_text(text: str) -> None:
    tags = [tag for tag, _ in page(evil("x"), samples.llm())[1].seen]
    shown, found = page(evil(text), samples.llm())
    assert [tag for tag, _ in found.seen] == tags
    assert not [key for _, attributes in found.seen for key in attributes if key.startswith("on")]
    junit = formats.render("junit", [evil(text), samples.llm()])
    assert [one.tag for one in ElementTree.fromstring(junit).iter()] == [
        one.tag for one in ElementTree.fromstring(formats.render("junit", [evil("x"), samples.llm()])).iter()
    ]
    assert not plain.UNSAFE.search(shown) and not plain.UNSAFE.search(junit)


@pytest.mark.parametrize("reports", [ALL[:1], ALL[1:2], ALL[2:], ALL, [hostile()], [hostile(), *ALL]])
def test_a_page_is_well_formed_and_loads_nothing(reports: list[Report]) -> None:
    text, found = page(*reports)
    tags = {tag for tag, _ in found.seen}
    assert not tags & {"script", "iframe", "object", "embed", "img", "form", "base"}
    assert len(found.ids) == len(set(found.ids))
    for tag, attributes in found.seen:
        for key, value in attributes.items():
            assert not key.startswith("on")
            if key in ("src", "href", "xlink:href"):
                assert value == "data:," or str(value).startswith("#"), (tag, key, value)
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", text)
    assert "url(" not in text and "@import" not in text and "default-src 'none'" in text


def test_every_plot_has_a_name_and_a_description() -> None:
    _, found = page(*ALL)
    plots = [attributes for tag, attributes in found.seen if tag == "svg"]
    assert len(plots) > 15
    for attributes in plots:
        assert attributes["role"] == "img"
        assert set(str(attributes["aria-labelledby"]).split()) <= set(found.ids)


@pytest.mark.parametrize(
    ("report", "titles"),
    [
        (ALL[0], ["Speed over time", "Energy", "Memory by phase", "Placement", "Quality against the source"]),
        (ALL[1], ["Latency of one inference", "Speed over time", "Memory by phase"]),
        (ALL[2], ["Time between tokens", "Prompt length and depth"]),
    ],
)
def test_the_plots_that_a_report_calls_for_are_there(report: Report, titles: list[str]) -> None:
    text, _ = page(report)
    for title in titles:
        assert f"<b>{title}</b>" in text


def test_the_phone_shows_temperature_clock_and_where_it_became_slower() -> None:
    text, _ = page(ALL[0])
    assert "temperature, C" in text and "clock, MHz" in text and "slower from here" in text and "idle 1.02 W" in text


def test_what_is_not_measured_says_why() -> None:
    text, _ = page(ALL[1])
    assert "Not measured: no power sensor was found" in text
    assert "temperature and clock: not readable on this machine" in text


def test_numbers_are_drawn_where_they_belong() -> None:
    """The tallest bar of a histogram is that of the mode, and bars stand on the axis."""
    text, _ = page(ALL[1])
    svg = text[text.index("<b>Latency of one inference</b>") :].partition("</svg>")[0]
    bars = [
        (float(h), int(n)) for h, n in re.findall(r'height="([\d.]+)" class="fill1"[^>]*><title>(\d+) samples', svg)
    ]
    assert sum(count for _, count in bars) + int(re.findall(r"(\d+) more, up to", svg)[0]) == 3600
    tallest, most = max(bars)
    assert most == max(count for _, count in bars)
    assert all(height == pytest.approx(tallest * count / most, abs=0.15) for height, count in bars)


def test_a_report_without_measurements_is_shown_too() -> None:
    report = ALL[1].model_copy(update={"measurements": (), "processes": (), "raw": {}, "energy": None, "verdicts": ()})
    wrong = report.model_copy(
        update={"goldens": report.goldens.model_copy(update={"passed": False, "mismatches": ("0: cosine 0.1",)})}
    )
    text, _ = page(wrong)
    assert "Wrong answers." in text and "cosine 0.1" in text
    for name in formats.names():
        formats.render(name, [wrong, ALL[0]])


def test_outcomes_are_the_worst_word() -> None:
    assert [describe.outcome(report) for report in ALL] == ["pass", "fail", "not-measured"]
    invalid = samples.llm(budgets={"decode_tps": Limit(min=1)}, load=0.5)
    assert describe.outcome(invalid) == "invalid"


def test_a_result_whose_goldens_compared_nothing_is_read_again(tmp_path: Path) -> None:
    report = samples.host()
    bare = report.goldens.model_copy(update={"compared": 0, "worst": None})
    path = tmp_path / "result.json"
    path.write_text(formats.render("json", [report.model_copy(update={"goldens": bare})]), encoding="utf-8")
    assert read.report(path).goldens == bare
