"""What lint finds, as data: the same for the table, --json, JUnit and SARIF."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edgekit.data import Strict

Severity = Literal["error", "warning", "note"]
Kind = Literal["aar", "apk", "app", "bundle", "framework", "xcframework", "folder"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


class Finding(Strict):
    """One fault in one place."""

    rule: str
    severity: Severity = Field(description="error: it is refused or does not run; warning: it may be; note: know it")
    path: str = Field(description="the file or folder, from what was given; empty: all of it")
    message: str
    next: str = Field(description="what to do about it")
    source: str = Field(description="where the rule can be read")


class Artifact(Strict):
    """Something that ships as a whole."""

    kind: Kind
    path: str = Field(description="from what was given; empty: all of it")


class Lint(Strict):
    """The whole answer."""

    format: Literal["1.0"] = "1.0"
    subject: str = Field(description="the name of what was given, without its folders")
    artifacts: tuple[Artifact, ...]
    rules: tuple[str, ...] = Field(description="those that were asked: no finding of one of these is a pass")
    findings: tuple[Finding, ...]

    def count(self, severity: Severity) -> int:
        """How many findings are of this severity."""
        return sum(finding.severity == severity for finding in self.findings)
