"""JUnit XML, which every CI system shows: a suite for each report, a case for the goldens and for each budget.

A budget that was exceeded is a failure. One that was not measured, or is invalid, is an error: it is no pass, and a
skipped case would look like one.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from edgekit.report import describe
from edgekit.report.measurement import Report, Verdict

TITLE = "test cases, for CI systems"
SUFFIX = ".xml"


def render(reports: Sequence[Report]) -> str:
    """A <testsuites> document."""
    root = ElementTree.Element("testsuites", name="edgekit check")
    for report in reports:
        _suite(root, report)
    for key in ("tests", "failures", "errors"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(root: ElementTree.Element, report: Report) -> None:
    name = f"{describe.bundle(report)} on {describe.device(report)}"
    suite = ElementTree.SubElement(root, "testsuite", name=_clean(name), hostname=_clean(describe.device(report)))
    if started := report.conditions.get("started"):
        suite.set("timestamp", _clean(str(started).removesuffix("Z")))
    _properties(suite, report)
    _goldens(suite, report)
    for verdict in report.verdicts:
        _case(suite, report, verdict)
    for key, tag in (("tests", "testcase"), ("failures", "testcase/failure"), ("errors", "testcase/error")):
        suite.set(key, str(len(suite.findall(tag))))
    notes = [f"invalid: {why}" for why in report.conditions.get("invalid", ())]
    lines = [f"{one.metric}: {describe.value(one)}" for one in report.measurements]
    ElementTree.SubElement(suite, "system-out").text = _clean("\n".join([*lines, *notes]))


def _properties(suite: ElementTree.Element, report: Report) -> None:
    found = ElementTree.SubElement(suite, "properties")
    facts = {"evidence": report.device["evidence"], "sha256": report.bundle.get("sha256"), **report.tools}
    numbers = {one.metric: one.value for one in report.measurements if one.value is not None}
    for key, value in {**facts, **numbers}.items():
        if value is not None:
            ElementTree.SubElement(found, "property", name=_clean(str(key)), value=_clean(str(value)))


def _goldens(suite: ElementTree.Element, report: Report) -> None:
    case = ElementTree.SubElement(suite, "testcase", name="goldens", classname=_clean(describe.bundle(report)))
    found = report.goldens
    if not found["passed"]:
        said = "; ".join(found["mismatches"]) or "golden answers differ"
        ElementTree.SubElement(case, "failure", type="quality", message=_clean(said))
    elif not found["compared"]:
        ElementTree.SubElement(case, "error", type="not-measured", message="no golden answer could be compared")


def _case(suite: ElementTree.Element, report: Report, verdict: Verdict) -> None:
    case = ElementTree.SubElement(
        suite, "testcase", name=_clean(verdict.metric), classname=_clean(describe.bundle(report))
    )
    if verdict.verdict == "pass":
        return
    value = f"{verdict.value:g}, " if verdict.value is not None else ""
    message = _clean(f"{value}{verdict.reason} (limit: {describe.limit(verdict.limit)})")
    if verdict.verdict == "fail":
        ElementTree.SubElement(case, "failure", type="over-budget", message=message)
    else:
        ElementTree.SubElement(case, "error", type=verdict.verdict, message=message)


def _clean(text: str) -> str:
    """Without what XML 1.0 cannot hold (control characters, half surrogate pairs)."""
    return "".join(one if _allowed(one) else "?" for one in text)


def _allowed(one: str) -> bool:
    return one in "\t\n" or " " <= one < "\ud800" or "\ue000" <= one <= "\ufffd" or one >= "\U00010000"
