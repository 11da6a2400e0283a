"""A lint as a file: JSON, JUnit XML for CI systems, SARIF for code scanning.

SARIF 2.1.0: https://docs.oasis-open.org/sarif/sarif/v2.1.0/. The object models of it on PyPI are unkept since 2019, or
bring no check that ours would not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from edgekit import __version__, plain
from edgekit.data import jsonable, pretty
from edgekit.lint._report import Lint, Severity
from edgekit.lint._rule import Rule

SARIF = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "note": "note"}


def json(lint: Lint, rules: dict[str, Rule]) -> str:
    """The data itself."""
    return pretty(jsonable(lint))


def junit(lint: Lint, rules: dict[str, Rule]) -> str:
    """A case for each rule that was asked; it fails by its errors, and says its warnings."""
    suite = ElementTree.Element("testsuite", name=plain.line(f"edgekit lint {lint.subject}"))
    for name in lint.rules:
        case = ElementTree.SubElement(suite, "testcase", name=name, classname=plain.line(lint.subject))
        its = [finding for finding in lint.findings if finding.rule == name]
        lines = [plain.line(f"{finding.path or lint.subject}: {finding.message}") for finding in its]
        if any(finding.severity == "error" for finding in its):
            failure = ElementTree.SubElement(case, "failure", type="quality", message=rules[name].what)
            failure.text = "\n".join([*lines, f"next: {rules[name].next}", rules[name].source])
        elif lines:
            ElementTree.SubElement(case, "system-out").text = "\n".join(lines)
    suite.set("tests", str(len(lint.rules)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def sarif(lint: Lint, rules: dict[str, Rule]) -> str:
    """One run, with the rules that were asked and a result for each finding."""
    driver = {
        "name": "edgekit lint",
        "version": __version__,
        "informationUri": "https://pypi.org/project/edgekit-ai/",
        "rules": [_sarif_rule(rules[name]) for name in lint.rules],
    }
    results: list[dict[str, Any]] = [
        {
            "ruleId": finding.rule,
            "ruleIndex": lint.rules.index(finding.rule),
            "level": LEVELS[finding.severity],
            "message": {"text": f"{finding.message}. Next: {finding.next}"},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": quote(finding.path or lint.subject)}}}],
        }
        for finding in lint.findings
    ]
    return pretty({"$schema": SARIF, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]})


def _sarif_rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.name,
        "shortDescription": {"text": rule.what},
        "help": {"text": rule.next},
        "helpUri": rule.source,
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
    }


FORMATS: dict[str, tuple[str, Callable[[Lint, dict[str, Rule]], str]]] = {
    "json": (".json", json),
    "junit": (".xml", junit),
    "sarif": (".sarif", sarif),
}
