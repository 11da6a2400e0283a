"""Check a bundle on a device: golden answers, latency, memory; verdicts and an exit code."""

from __future__ import annotations

from pathlib import Path

import click

from edgekit import console


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--device", default="local", show_default=True, help="local, ssh:USER@HOST[:PORT], adb:SERIAL, ios:UDID.")
@click.option(
    "--budget", "budgets", multiple=True, help="METRIC:min=X or METRIC:max=X, as decode_tps:min=20; repeatable."
)
@click.option("--variant", help="A variant of the bundle by name; else the first that runs there.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of one operator; the engine chooses by default.")
@click.option("--strict", is_flag=True, help="Do not begin where conditions are not as they should be.")
@click.option("--quick", is_flag=True, help="Goldens and a few runs; timings are then marked invalid.")
@click.option("-o", "--output", "out", type=click.Path(path_type=Path), help="The report; default BUNDLE.result.json.")
@click.option(
    "--trust-bundle-code", "trust", is_flag=True, help="Execute the bundle's runtime though it is another one."
)
def command(
    bundle: Path,
    device: str,
    budgets: tuple[str, ...],
    variant: str | None,
    threads: int | None,
    strict: bool,
    quick: bool,
    out: Path | None,
    trust: bool,
) -> None:
    """Run BUNDLE's check on a device and write result.json beside it, never in it.

    Exit code: 9 a golden answer differs, 10 over a budget, 11 a budgeted metric was not measured or is invalid.
    """
    from edgekit import check as checker
    from edgekit.bundle.aside import writing
    from edgekit.data import jsonable, pretty, write_atomic
    from edgekit.devices import open_device
    from edgekit.report import metrics, table

    options = checker.Options(
        budgets=metrics.parse_budgets(budgets),
        strict=strict,
        quick=quick,
        trust=trust,
        threads=threads,
        variant=variant,
    )
    report = checker.check(bundle, open_device(device), options)
    path = out or bundle.absolute().with_name(f"{bundle.absolute().name}.result.json")
    with writing(f"writing {path}"):
        write_atomic(path, pretty(jsonable(report)))
    error = checker.failure(report)
    if console.json_mode():
        console.document("edgekit.check/1", {"result": str(path), "report": jsonable(report)}, error=error)
    table.show(report)
    console.out(f"report: {path}")
    if error is not None:
        raise error
