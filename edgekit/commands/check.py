"""Check a bundle on a device: golden answers, latency, memory, power; verdicts and an exit code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit import console, registry
from edgekit.commands import _offered
from edgekit.commands._places import PLACE
from edgekit.errors import UsageError

if TYPE_CHECKING:
    from edgekit.check import Options
    from edgekit.meters import Meter

FORMATS = registry.members("edgekit.report.formats")  # their names; the modules would be slow to import
UNITS = {"s": 1, "m": 60, "h": 3600}
LONGEST_S = 86_400.0


def time(text: str) -> float:
    """Seconds of 90, 90s, 10m or 1h."""
    word = text.strip().lower()
    number = word[:-1] if word[-1:] in UNITS else word
    seconds = float(number) * UNITS.get(word[-1:], 1) if number.replace(".", "", 1).isdecimal() else 0.0
    if not 1 <= seconds <= LONGEST_S:
        raise UsageError(f"{text!r} is no length of time", next="write 90s, 10m or 1h; a day at most")
    return seconds


def counts(text: str) -> tuple[int, ...]:
    """The whole numbers of 128,512, each once."""
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and len(word) < 8 for word in words):
        raise UsageError(f"{text!r} is no list of token counts", next="write whole numbers with commas: 128,512")
    return tuple(dict.fromkeys(int(word) for word in words))


@click.command()
@click.argument("bundle", type=PLACE)
@click.option(
    "--device",
    shell_complete=_offered.places,
    help="local, ssh:USER@HOST[:PORT], adb:SERIAL, ios:UDID.  [default: the one that edgekit.toml names, else local]",
)
@click.option(
    "--budget", "budgets", multiple=True, help="METRIC:min=X or METRIC:max=X, as decode_tps:min=20; repeatable."
)
@click.option("--prompts", type=counts, help="Prompt lengths in tokens, as 128,512; the first is answered.")
@click.option("--depths", type=counts, help="Decode with so many tokens in the context, as 512,2048.")
@click.option("--processes", type=click.IntRange(1, 100), default=1, show_default=True, help="Runs of the bench.")
@click.option("--sustain", type=time, help="Run for so long instead, as 10m: speed by the minute, throttling.")
@click.option("--ab", "other", type=PLACE, help="Compare with this bundle, in turns.")
@click.option("--blocks", type=click.IntRange(8, 100), help="Blocks of --ab; 8 to 15 by default, as the noise asks.")
@click.option("--meter", help="A power meter beside the device: csv:FILE[@START], the file its program writes.")
@click.option("--variant", help="A variant of the bundle by name; else the first that runs there.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of one operator; the engine chooses by default.")
@click.option("--strict", is_flag=True, help="Do not begin where conditions are not as they should be.")
@click.option("--quick", is_flag=True, help="Goldens and a few runs; timings are then marked invalid.")
@click.option("--goldens-only", is_flag=True, help="Golden answers alone, nothing is timed: exit 0 or 9.")
@click.option("--no-target-budgets", is_flag=True, help="Judge the budgets of the command line alone.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="Write this instead of a table; by -o's ending.")
@click.option("-o", "--output", "out", type=PLACE, help="Where; the result: BUNDLE.result.json; - stdout.")
@click.option(
    "--trust-bundle-code", "trust", is_flag=True, help="Execute the runtime that lies in the bundle, not edgekit's."
)
def command(
    bundle: Path, device: str | None, other: Path | None, form: str | None, out: Path | None, **words: Any
) -> None:
    """Run BUNDLE's check on a device and write result.json beside it, never in it.

    With several --processes the process is the unit of every interval, as a baseline needs it.

    Exit code: 9 a golden answer differs, 10 over a budget, 11 a budgeted metric was not measured or is invalid.
    """
    from edgekit.commands import _bundle, _project
    from edgekit.devices import open_device

    for each in (bundle, other):
        if each is not None:
            _bundle.folder(each, "check")
    device = (_project.device_of(bundle) or "local") if device is None else device
    blocks = words.pop("blocks")
    options = _options(words)
    if other is not None:
        _ab(bundle, other, device, options, blocks, out)
        return
    _check(bundle, open_device(device), options, form, out)


def _check(bundle: Path, device: Any, options: Options, form: str | None, out: Path | None) -> None:
    from edgekit import check as checker
    from edgekit import output
    from edgekit.commands import _bundle
    from edgekit.data import jsonable
    from edgekit.report import formats, table

    form = form or (formats.by_suffix(out) if out is not None else None)
    if out == output.STDOUT:
        out = None
    path = out if out is not None and form == "json" else _beside(bundle, "result.json")
    for place in {path, out or path}:
        output.check(place)
    with _bundle.unchanged(bundle):
        report = checker.check(bundle, device, options)
    output.write(path, formats.render("json", [report]))
    error = checker.failure(report)
    if console.json_mode():
        console.document("edgekit.check/1", {"result": str(path), "report": jsonable(report)}, error=error)
    if form is not None and out is None:
        console.page(formats.render(form, [report]))
    else:
        table.show(report)
    if out is not None and form is not None and form != "json":
        output.write(out, formats.render(form, [report]))
        console.say(f"{form}: {out}")
    console.say(f"report: {path}")
    if error is not None:
        raise error


def _ab(bundle: Path, other: Path, device: str, options: Options, blocks: int | None, out: Path | None) -> None:
    from edgekit import ab, output
    from edgekit.data import jsonable, pretty
    from edgekit.devices import open_device
    from edgekit.report import table

    path = out or _beside(bundle, f"vs.{other.absolute().name}.ab.json")
    output.check(path)
    report = ab.ab(bundle, other, open_device(device), options, blocks)
    output.write(path, pretty(jsonable(report)))
    if console.json_mode():
        console.document("edgekit.ab/1", {"result": str(path), "report": jsonable(report)})
    table.show_ab(report)
    console.say(f"report: {path}")


def _options(words: dict[str, Any]) -> Options:
    from edgekit.check import Options
    from edgekit.results import metrics

    return Options(
        budgets=metrics.parse_limits(words["budgets"], by="check"),
        strict=words["strict"],
        quick=words["quick"],
        trust=words["trust"],
        threads=words["threads"],
        variant=words["variant"],
        prompts=words["prompts"] or (),
        depths=words["depths"] or (),
        processes=words["processes"],
        sustain_s=words["sustain"],
        meter=_meter(words["meter"]) if words["meter"] else None,
        goldens_only=words["goldens_only"],
        target_budgets=not words["no_target_budgets"],
    )


def _meter(word: str) -> Meter:
    """csv:FILE, or csv:FILE@2026-11-24T10:00:00 where the file's times count from its own start."""
    from datetime import datetime

    from edgekit.meters.external_csv import ExternalMeter

    kind, _, rest = word.partition(":")
    path, at, start = rest.rpartition("@") if "@" in rest else (rest, "", "")
    try:
        starts_at = datetime.fromisoformat(start).timestamp() if at else None
    except ValueError:
        path, starts_at = rest, None  # an @ of the file's own name
    if kind != "csv" or not path:
        raise UsageError(f"{word!r} is no meter", next="write --meter csv:FILE")
    if not Path(path).is_file():
        raise UsageError(
            f"the meter's file {path} is not there", next="begin with the meter's program, which writes it"
        )
    return ExternalMeter(Path(path), starts_at)


def _beside(bundle: Path, ending: str) -> Path:
    return bundle.absolute().with_name(f"{bundle.absolute().name}.{ending}")
