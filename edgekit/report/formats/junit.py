"""JUnit XML, which every CI system shows: a suite for each report, a case for the goldens and for each budget.

A budget that was exceeded is a failure. One that was not measured, or is invalid, is an error: it is no pass, and a
skipped case would look like one.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from edgekit import plain
from edgekit.contract.result import Report
from edgekit.report import describe
from edgekit.results.measurement import Verdict

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
    suite.set("timestamp", _clean(report.conditions.started.removesuffix("Z")))
    _properties(suite, report)
    _goldens(suite, report)
    for verdict in report.verdicts:
        _case(suite, report, verdict)
    for key, tag in (("tests", "testcase"), ("failures", "testcase/failure"), ("errors", "testcase/error")):
        suite.set(key, str(len(suite.findall(tag))))
    notes = [f"invalid: {why}" for why in report.conditions.invalid]
    notes += filter(None, [describe.runtime(report.conditions)])
    lines = [f"{one.metric}: {describe.value(one)}" for one in report.measurements]
    ElementTree.SubElement(suite, "system-out").text = "\n".join(map(_clean, [*lines, *notes]))


def _properties(suite: ElementTree.Element, report: Report) -> None:
    found = ElementTree.SubElement(suite, "properties")
    facts = {"proof": report.proof, "evidence": report.device.evidence, "sha256": report.bundle.sha256, **report.tools}
    numbers = {one.metric: one.value for one in report.measurements if one.value is not None}
    for key, value in {**facts, **numbers}.items():
        ElementTree.SubElement(found, "property", name=_clean(key), value=_clean(str(value)))


def _goldens(suite: ElementTree.Element, report: Report) -> None:
    case = ElementTree.SubElement(suite, "testcase", name="goldens", classname=_clean(describe.bundle(report)))
    found = report.goldens
    if not found.passed:
        said = "; ".join(found.mismatches) or "golden answers differ"
        ElementTree.SubElement(case, "failure", type="quality", message=_clean(said))
    elif not found.compared:
        ElementTree.SubElement(case, "error", type="not-measured", message="no golden answer could be compared")


def _case(suite: ElementTree.Element, report: Report, verdict: Verdict) -> None:
    case = ElementTree.SubElement(
        suite, "testcase", name=_clean(verdict.metric), classname=_clean(describe.bundle(report))
    )
    if verdict.verdict == "pass":
        return
    value = f"{verdict.value:g}, " if verdict.value is not None else ""
    message = _clean(f"{value}{verdict.reason} (limit: {verdict.limit!s})")
    if verdict.verdict == "fail":
        ElementTree.SubElement(case, "failure", type="over-budget", message=message)
    else:
        ElementTree.SubElement(case, "error", type=verdict.verdict, message=message)


def _clean(text: str) -> str:
    """One line, without what XML 1.0 cannot hold or a reader cannot see."""
    return plain.line(text)
