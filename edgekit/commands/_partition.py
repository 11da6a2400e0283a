"""Placement for `edgekit inspect --partition`: recorded by build or compiler, else measured here, else predicted."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgekit.contract.manifest import Manifest, Role
    from edgekit.kinds.variant import Variant
    from edgekit.results.partition import Partition


def partitions(bundle: Path, manifest: Manifest) -> dict[str, list[Partition]]:
    """The placement of every graph of every variant, by variant, in the order of the manifest.

    Raises:
        ToolMissing: a variant's provider can neither be opened here nor predicted.
        BundleError: the bundle's model files cannot be read, were changed, or would make an engine do harm.
    """
    from edgekit.partition import compiled

    found = {}
    for variant in manifest.variants:
        recorded = manifest.partition.get(variant.name)
        found[variant.name] = (
            [recorded] if recorded else compiled.placement(variant) or _looked(bundle, manifest, variant)
        )
    return found


def _looked(bundle: Path, manifest: Manifest, variant: Variant) -> list[Partition]:
    from edgekit import partition, target
    from edgekit.bundle.verify import verified

    models: tuple[Role, ...] = ("model",)
    verified(bundle, roles=models, allow_stripped=True)  # an engine opens what it names
    floor = variant.compatibility.min_onnxruntime
    level = target.api_level(manifest.target.os, str(manifest.platform.get("os_min", "")))
    with _unpacked(bundle, manifest, variant.name) as folder:
        graphs = [path for path in _graphs(manifest, variant) if (folder / path).is_file()]
        return [
            partition.look(folder / path, variant.ep, variant.ep_options, runtime=floor, api_level=level)
            for path in sorted(graphs)
        ]


def _graphs(manifest: Manifest, variant: Variant) -> Iterator[str]:
    for file in manifest.files:
        if file.variant == variant.name and file.path.endswith(".onnx"):
            yield file.path


@contextmanager
def _unpacked(bundle: Path, manifest: Manifest, variant: str) -> Iterator[Path]:
    """A folder that holds the variant's files: the bundle itself, or what is taken out of a .zip for the moment."""
    from edgekit.bundle import files

    if bundle.is_dir():
        yield bundle
        return
    with files.opened(bundle) as found, tempfile.TemporaryDirectory(prefix="edgekit-inspect-") as folder:
        for file in manifest.files:
            if file.variant != variant or file.path not in found.sizes:
                continue
            path = Path(folder, *PurePosixPath(file.path).parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            with found.open(file.path) as stream, path.open("wb") as out:
                shutil.copyfileobj(stream, out)
        yield Path(folder)


def facts(one: Partition) -> Sequence[tuple[str, str]]:
    """A placement in lines of (word, text)."""
    unit = {"macs": "multiply-accumulates", "bytes": "weight bytes", "nodes": "nodes"}[one.work]
    rows = [
        (f"{one.how}", f"evidence: {one.evidence}; {one.basis}"),
        ("graph", one.graph),
        ("coverage", f"{one.coverage:.1%} of the {unit}, {one.nodes_taken} of {one.nodes} nodes"),
        ("pieces", f"{one.partitions}, {one.round_trips} round trips in a row"),
        ("nodes", ", ".join(f"{count} on {name}" for name, count in sorted(one.nodes_by_ep.items()))),
    ]
    if one.inserted:
        added = ", ".join(f"{count} on {name}" for name, count in sorted(one.inserted.items()))
        rows.append(("added", f"{added}: nodes of ONNX Runtime's own, for layouts and types"))
    return [*rows, *(("note", note) for note in one.notes)]


def blockers(one: Partition) -> Sequence[tuple[str, str, str, str, str]]:
    """The rows of the table of what the provider leaves: operator, nodes, share, reason, what would help."""
    return [
        (blocker.operator, str(blocker.nodes), f"{blocker.share:.1%}", blocker.reason, blocker.rewrite)
        for blocker in one.blockers
    ]
