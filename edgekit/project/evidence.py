"""Results of real devices that are kept in docs/devices: what a target's status rests on, and no word of ours.

docs/devices/TARGET/BUNDLE-DEVICE-DIGEST.json    a result as edgekit check wrote it, without its raw samples
docs/devices/README.md                           a row for each; written anew with every file that is added
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from edgekit import output, target
from edgekit.bundle.verify import verified
from edgekit.contract.manifest import Manifest
from edgekit.contract.result import Report
from edgekit.data import digest, jsonable, pretty
from edgekit.errors import NotMeasured, UsageError, from_oserror
from edgekit.report import describe
from edgekit.report.formats.markdown import _escape, _table
from edgekit.verdicts import read as reading

PLACE = Path("docs/devices")
INDEX = "README.md"
CONTEXTS = ("shell", "app")  # where a runtime can run on a device
HEAD = """\
# Results of devices

Each was written by `edgekit check` on the device and held against its bundle by `edgekit results add RESULT`, which
writes this file anew. A target is `experimental` until a result of it stands here.

"""
AGAIN = "check the bundle on the device itself: edgekit check BUNDLE --device ADDRESS --processes 5"


def add(result: Path, bundle: Path, folder: Path) -> Path:
    """Keep a result, once it is held against its bundle; returns its file.

    Raises:
        UsageError: it is no result, or of another bundle.
        BundleError: the bundle is not whole.
        NotMeasured: it shows nothing of the device: emulated, invalid, another system, code of the bundle itself.
    """
    report, manifest = reading.report(result), verified(bundle)
    if differs := list(_differs(report, manifest)):
        raise UsageError(f"{result.name} is of another bundle: {'; '.join(differs)}", next="give the bundle it is of")
    if why := next(_doubts(report, manifest), None):
        raise NotMeasured(f"{result.name} shows nothing of the device: {why}", next=AGAIN)
    kept = report.model_copy(update={"raw": {}})
    device = re.sub(r"[^a-z0-9]+", "-", describe.device(report).lower()).strip("-")[:40]
    path = folder / manifest.target.name / f"{manifest.name}-{device}-{digest(jsonable(kept))[:12]}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise from_oserror(error, f"writing {path.parent}") from None
    output.write(path, pretty(jsonable(kept)))
    output.write(folder / INDEX, index(folder))
    return path


def _differs(report: Report, manifest: Manifest) -> Iterator[str]:
    """In what a result and a bundle are not of one another."""
    ours = {
        "sha256": manifest.sha256,
        "name": manifest.name,
        "target": manifest.target.name,
        "recipe": manifest.recipe.name,
    }
    for name, value in ours.items():
        if (theirs := getattr(report.bundle, name)) != value:
            yield f"its {name} is {theirs[:40]}, the bundle's is {value[:40]}"


def _doubts(report: Report, manifest: Manifest) -> Iterator[str]:
    """Why a result is no evidence of its target on a device."""
    wanted, conditions = target.load(manifest.target.name), report.conditions
    if report.device.evidence != "device":
        yield f"its evidence is {report.device.evidence}"
    if report.device.os != wanted.os or report.device.abi not in wanted.abi:
        yield f"it ran on {report.device.os} {report.device.abi}, the target is {wanted.os} {'/'.join(wanted.abi)}"
    if conditions.run_context not in CONTEXTS:
        yield f"it ran in {conditions.run_context!r}, which is none of {', '.join(CONTEXTS)}"
    yield from filter(None, (describe.runtime(conditions),))
    if not report.goldens.passed or not report.goldens.compared:
        yield "its golden answers differ" if report.goldens.compared else "no golden answer was compared"
    yield from conditions.invalid
    if not report.processes:
        yield "nothing was timed"


def results(folder: Path) -> list[tuple[Path, Report]]:
    """Those that are kept, sorted by their paths."""
    return [(path, reading.report(path)) for path in sorted(folder.glob("*/*.json"))]


def index(folder: Path) -> str:
    """The text of INDEX."""
    rows = [
        [
            f"[{_escape(path.parent.name)}]({path.relative_to(folder).as_posix()})",
            _escape(describe.bundle(report)),
            _escape(describe.device(report)),
            _escape(describe.platform(report)),
            report.conditions.run_context,
            describe.outcome(report),
            report.conditions.started[:10],
        ]
        for path, report in results(folder)
    ]
    columns = ["target", "bundle", "device", "system", "ran in", "verdict", "date"]
    return HEAD + (_table(columns, rows) if rows else "There is none yet.\n")
