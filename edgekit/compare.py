"""compare(): bundles side by side, from what their builds and checks wrote down. Nothing is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from edgekit.bundle import files as bundle_files
from edgekit.bundle.read import parse
from edgekit.contract.manifest import Manifest
from edgekit.contract.result import Report
from edgekit.data import Strict
from edgekit.errors import EdgekitError
from edgekit.report import describe
from edgekit.results import metrics as m
from edgekit.results.measurement import Measurement
from edgekit.results.metrics import Better, Metric
from edgekit.verdicts import baseline, read

Section = Literal["bundle", "size", "quality", "placement", "measured"]
Cell = float | str | None


class Row(Strict):
    """One figure of all bundles, in their order; None where a bundle does not have it."""

    section: Section
    name: str
    unit: str = ""
    values: tuple[Cell, ...]
    best: int | None = Field(default=None, description="index of the best, where one is and they may be compared")


class Comparison(Strict):
    """Bundles side by side."""

    format: Literal["1.0"] = "1.0"
    bundles: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = Field(default=(), description="what is missing, and what may not be compared")


@dataclass(frozen=True)
class Side:
    """A bundle, and the result that lies beside it."""

    path: Path
    manifest: Manifest
    result: Report | None
    note: str


def compare(bundles: Sequence[Path]) -> Comparison:
    """Compare bundles, folders or .zip files.

    Raises:
        BundleError: one of them is none.
    """
    sides = [look(path) for path in bundles]
    notes = [side.note for side in sides if side.note]
    unlike = _unlike(sides)
    rows = [*_made(sides), *_sizes(sides), *_quality(sides), *_placed(sides), *_measured(sides, not unlike)]
    return Comparison(bundles=_names(sides), rows=tuple(rows), notes=(*notes, *unlike))


def look(path: Path) -> Side:
    """A bundle with BUNDLE.result.json, if there is one and it is of this very bundle."""
    with bundle_files.opened(path) as found:
        manifest = parse(found.manifest)
    name = path.absolute().name.removesuffix(".zip")
    beside = path.absolute().with_name(f"{name}.result.json")
    if not beside.is_file():
        return Side(path, manifest, None, f"{name} was not measured: edgekit check {path}")
    try:
        result = read.report(beside)
    except EdgekitError as error:
        return Side(path, manifest, None, f"{name}: {error.message}")
    if result.bundle.sha256 != manifest.sha256:
        return Side(path, manifest, None, f"{beside.name} is of another build: edgekit check {path}")
    return Side(path, manifest, result, "")


def _names(sides: Sequence[Side]) -> tuple[str, ...]:
    """The bundles' names, with their folders where two have one name."""
    names = [side.manifest.name for side in sides]
    return tuple(str(side.path) if names.count(name) > 1 else name for side, name in zip(sides, names, strict=True))


def _made(sides: Sequence[Side]) -> list[Row]:
    facts = {
        "model": [side.manifest.model.name for side in sides],
        "target": [side.manifest.target.name for side in sides],
        "recipe": [side.manifest.recipe.name for side in sides],
        "precision": [side.manifest.recipe.precision for side in sides],
        "execution provider": [", ".join(dict.fromkeys(one.ep for one in side.manifest.variants)) for side in sides],
    }
    return [Row(section="bundle", name=name, values=tuple(values)) for name, values in facts.items()]


def _sizes(sides: Sequence[Side]) -> list[Row]:
    manifests = [side.manifest for side in sides]
    whole = [sum(file.size for file in it.files) / 1e6 for it in manifests]
    model = [sum(file.size for file in it.files if file.role == "model") / 1e6 for it in manifests]
    peaks = [it.memory.predicted_peak_bytes / 1e6 for it in manifests]
    of = {m.BUNDLE_MB: whole, m.MODEL_MB: model, m.PREDICTED_PEAK_MB: peaks}
    return [_row("size", metric, values) for metric, values in of.items()]


def _quality(sides: Sequence[Side]) -> list[Row]:
    """What the gates measured; they may be compared where the bundles come from one model."""
    same = len({side.manifest.model.name for side in sides}) == 1
    found: list[Row] = [
        Row(section="quality", name="verdict", values=tuple(side.manifest.judged.verdict for side in sides)),
        Row(section="quality", name="proof", values=tuple(side.manifest.judged.proof for side in sides)),
    ]
    for name, values in _by_metric([side.manifest.judged.measurements for side in sides]).items():
        known = m.of(name)
        better = known.better if known and same else None
        found.append(Row(section="quality", name=name, values=tuple(values), best=_best(values, better)))
    return found


def _placed(sides: Sequence[Side]) -> list[Row]:
    """The share of the work that the execution provider of each variant takes."""
    shares = [{name: graph.coverage for name, graph in side.manifest.partition.items()} for side in sides]
    names = dict.fromkeys(name for one in shares for name in one)
    found = {name: [one.get(name) for one in shares] for name in names}
    return [_row("placement", m.EP_SHARE, values, f"@{name}") for name, values in found.items()]


def _measured(sides: Sequence[Side], comparable: bool) -> list[Row]:
    found = []
    every = [side.result.measurements if side.result else () for side in sides]
    for name, values in _by_metric(every).items():
        metric = m.of(name)
        if metric is None or metric in (m.BUNDLE_MB, m.EP_SHARE):  # the builds said so already
            continue
        valid = all(one.valid for some in every for one in some if one.metric == name)
        found.append(_row("measured", metric, values, name.removeprefix(metric.name), comparable and valid))
    return found


def _by_metric(every: Sequence[Sequence[Measurement]]) -> Mapping[str, list[float | None]]:
    """Values by metric, one for each bundle; metrics that nobody measured are left out."""
    tables = [{one.metric: one.value for one in some if one.value is not None} for some in every]
    names = dict.fromkeys(name for table in tables for name in table)
    return {name: [table.get(name) for table in tables] for name in names}


def _unlike(sides: Sequence[Side]) -> list[str]:
    """Why measurements may not be compared: other devices or conditions, or timing that is invalid."""
    results = [side.result for side in sides if side.result]
    found = []
    for side in sides:
        if side.result and (why := side.result.conditions.invalid):
            found.append(f"{side.manifest.name}: its timing is invalid: {why[0]}")
    for other in results[1:]:
        first, second = baseline.identity(results[0]), baseline.identity(other)
        try:
            baseline.require_alike(first, replace(second, bundle=first.bundle), describe.bundle(results[0]))
        except EdgekitError as error:
            found.append(error.message)
    return found


def _row(
    section: Section, metric: Metric, values: Sequence[float | None], at: str = "", comparable: bool = True
) -> Row:
    best = _best(values, metric.better if comparable else None)
    return Row(section=section, name=metric.name + at, unit=metric.unit, values=tuple(values), best=best)


def _best(values: Sequence[float | None], better: Better | None) -> int | None:
    known = [value for value in values if value is not None]
    if better is None or len(set(known)) < 2:
        return None
    return list(values).index(min(known) if better == "lower" else max(known))
