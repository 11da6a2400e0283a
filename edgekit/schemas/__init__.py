"""The JSON schemas of what edgekit reads and writes: generated from the models, kept beside this file, drift-tested."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from edgekit.catalog.cards import Card
from edgekit.contract.manifest import Manifest
from edgekit.contract.result import Report
from edgekit.data import pretty
from edgekit.lint import Lint
from edgekit.plan import Plan
from edgekit.project.file import Project
from edgekit.project.lock import Lock
from edgekit.target import Target
from edgekit.verdicts.ab import AbReport
from edgekit.verdicts.baseline import Baseline

MODELS: dict[str, type[BaseModel]] = {
    "ab": AbReport,
    "baseline": Baseline,
    "bundle": Manifest,
    "card": Card,
    "lint": Lint,
    "lock": Lock,
    "plan": Plan,
    "project": Project,
    "report": Report,
    "target": Target,
}
FOLDER = Path(__file__).parent


def generate() -> dict[str, dict[str, Any]]:
    """The schema of each kind of file, by its name: "bundle" is edgekit.json, "report" is result.json."""
    return {
        name: {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}
        for name, model in MODELS.items()
    }


def write(folder: Path = FOLDER) -> None:
    """Write NAME.json for each schema (`make schemas`)."""
    for name, schema in generate().items():
        (folder / f"{name}.json").write_text(pretty(schema), encoding="utf-8")
