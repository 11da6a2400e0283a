"""Show what a bundle is: sizes, operators, contract, quality, memory, placement, provenance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgekit import console
from edgekit.commands._places import PLACE

if TYPE_CHECKING:
    from edgekit.contract.manifest import Manifest
    from edgekit.kinds import Package
    from edgekit.report.contents import Description
    from edgekit.results.partition import Partition

RUNTIMES = {
    "same": "this edgekit's",
    "another": "not this edgekit's: run and check execute edgekit's own instead",
    "none": "none: an app brings its own",
}


@click.command()
@click.argument("bundle", type=PLACE)
@click.option("--partition", "placed", is_flag=True, help="Also which execution provider takes which part, and why.")
def command(bundle: Path, placed: bool) -> None:
    """Show what BUNDLE, a folder or a .zip, is and where it came from.

    Nothing in it is executed; with --partition its graphs are opened by ONNX Runtime, in a process of their own.
    """
    from edgekit.bundle.read import REBUILD
    from edgekit.commands import _partition
    from edgekit.data import jsonable
    from edgekit.errors import BundleError
    from edgekit.report.contents import describe

    found = describe(bundle)
    if not found.whole:
        console.warn(f"files of {bundle} are missing, added or changed: edgekit verify names them")
    for line in found.unsafe:
        console.warn(line)
    if placed and found.unsafe:
        raise BundleError(f"no engine opens the graphs of {bundle}: {found.unsafe[0]}", next=REBUILD)
    partitions = _partition.partitions(bundle, found.manifest) if placed else {}
    if console.json_mode():
        shown = {name: [jsonable(one) for one in graphs] for name, graphs in partitions.items()}
        console.document("edgekit.inspect/1", jsonable(found) | ({"partition": shown} if placed else {}))
        return
    _show_facts(found)
    _show_files(found.manifest)
    _show_variants(found)
    for name, graphs in partitions.items():
        _show_placement(name, graphs)
    _show_contract(found.manifest)
    _show_quality(found.manifest)
    _show_making(found.manifest)


def _show_facts(found: Description) -> None:
    from edgekit.commands import _estimates

    it = found.manifest
    memory = it.memory
    parts = ", ".join(f"{role} {_size(tally.bytes)}" for role, tally in found.roles.items())
    machine = f"{it.target.os} {'/'.join(it.target.abi)}"
    model = ", ".join([it.model.name, it.model.architecture or it.model.kind, f"{it.model.parameters:,} parameters"])
    rows = [
        ("bundle", f"{it.name}, format {it.format}, sha256 {it.sha256}"),
        ("target", f"{it.target.name}: {it.target.title} ({it.target.status}), {machine}"),
        ("model", model),
        *(("", f"repaired: {one}") for one in it.model.repairs),
        *(("", f"left out: {one}") for one in it.model.left_out),
        ("source", f"{it.source.ref} ({it.source.kind}), sha256 {it.source.sha256}"),
        *(("", step) for step in it.source.origin),
        ("license", it.source.license),
        ("recipe", f"{it.recipe.name} ({it.recipe.precision}): {it.recipe.summary}"),
        ("size", f"{_size(found.bytes)}: {parts}"),
        (
            "memory",
            f"{_size(memory.predicted_peak_bytes)} at most, {_size(memory.mapped_bytes)} mapped (estimated)",
        ),
        ("", _estimates.engine(memory)),
    ]
    if memory.kv_bytes_per_token:
        whole = f", {_size(memory.kv_bytes_at_max_length)} in all" if memory.kv_bytes_at_max_length else ""
        rows.append(("", f"{memory.kv_dtype} cache: {_size(memory.kv_bytes_per_token)} a token{whole}"))
        rows.append(("speed", f"{_estimates.speed(memory)} (estimated)"))
    rows.append(("start", f"{_estimates.load(memory)} (estimated)"))
    if it.source.trust_remote_code:
        rows.append(("remote code", "the source's own code was run to build this"))
    rows.append(("runtime", f"{it.target.face}, {RUNTIMES[found.runtime]}"))
    rows += [(key, str(value)) for key, value in it.platform.items()]
    rows.append(("built with", ", ".join(f"{name} {version}" for name, version in sorted(it.tools.items()))))
    _pairs("", rows)


def _show_files(it: Manifest) -> None:
    rows = [(file.path, file.role, _size(file.size)) for file in it.files]
    _table("Files", ("file", "role", "size"), rows, right=(2,))


def _show_variants(found: Description) -> None:
    for variant in found.manifest.variants:
        ties = [
            f"{axis} {value if isinstance(value, str) else '/'.join(value)}"
            for axis, value in variant.compatibility
            if value
        ]
        options = [f"{key}={value}" for key, value in sorted(variant.ep_options.items())]
        rows = [("EP", " ".join([variant.ep, *options])), ("runs on", ", ".join(ties) or "anything")]
        graph = found.graphs.get(variant.name)
        if graph is not None:
            most_first = sorted(graph.ops.items(), key=lambda item: (-item[1], item[0]))
            rows.append(("operators", ", ".join(f"{count} {name}" for name, count in most_first)))
            rows.append(("opsets", ", ".join(f"{name} {version}" for name, version in sorted(graph.opset.items()))))
        _pairs(f"Variant {variant.name}", rows)
        weights = graph.weights.items() if graph else ()
        table = [(name, f"{some.tensors:,}", f"{some.parameters:,}", _size(some.bytes)) for name, some in weights]
        _table("", ("weights", "tensors", "values", "size"), table, right=(1, 2, 3))


def _show_placement(variant: str, graphs: list[Partition]) -> None:
    from edgekit.commands import _partition

    for one in graphs:
        _pairs(f"Placement of variant {variant} on {one.ep}: {one.how}", _partition.facts(one))
        columns = ("operator left", "nodes", "work", "because", "what would help")
        _table("", columns, _partition.blockers(one), right=(1, 2))


def _show_contract(it: Manifest) -> None:
    contract = it.contract
    if contract.COLUMNS:
        _table(contract.TITLE, contract.COLUMNS, contract.rows())
    else:
        _pairs(contract.TITLE, contract.rows())
    for path in contract.files():
        console.out(f"labels: {path}")


def _show_quality(it: Manifest) -> None:
    quality = it.judged
    limits = {verdict.metric: verdict for verdict in quality.verdicts}
    rows = []
    for one in quality.measurements:
        verdict = limits.get(one.metric)
        value = "not measured" if one.value is None else f"{one.value:.4g}"
        limit = "" if verdict is None else _limit(verdict.limit.min, verdict.limit.max)
        rows.append((one.metric, value, limit, verdict.verdict if verdict else "", one.evidence, one.reason))
    where = f" on {quality.ran_on}" if quality.ran_on else ""
    title = f"Quality against the source: {quality.verdict} ({quality.mode}{where}): {quality.proof}"
    if rows:
        _table(title, ("metric", "value", "limit", "verdict", "evidence", "note"), rows, right=(1,))
    else:
        console.out(title)
    for note in quality.notes:
        console.out(f"  {note}")


def _show_making(it: Manifest) -> None:
    rows = [(stage.stage, stage.name, stage.reason) for stage in it.recipe.stages]
    _table("How it was made", ("stage", "step", "because"), rows)
    links = [(package.name, package.channel, package.floor, package.last_seen) for package in _linked(it)]
    _table("What an app links", ("package", "from", "at least", "last seen"), links)


def _linked(it: Manifest) -> list[Package]:
    """Of the target's packages those of this kind of model, without plugins of providers that no variant runs on."""
    from edgekit import ep

    needed = [package for package in it.target.runtime if it.model.kind in package.kinds]
    providers = {package.name: {name for name in ep.names() if name in package.name.lower()} for package in needed}
    used = {variant.ep for variant in it.variants}
    return [each for each in needed if not providers[each.name] or providers[each.name] & used] or needed


def _pairs(title: str, rows: Sequence[tuple[str, ...]]) -> None:
    if title:
        console.out(title)
    console.pairs(rows)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    if rows:
        console.table(title, columns, rows, right=right)


def _size(count: int) -> str:
    """Bytes for people; decimal units, as a shop or a disk counts."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= unit:
            return f"{count / unit:,.1f} {name}"
    return f"{count} B"


def _limit(low: float | None, high: float | None) -> str:
    return " ".join(f"{word} {value:g}" for word, value in ((">=", low), ("<=", high)) if value is not None)
