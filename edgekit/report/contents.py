"""What a bundle is, for people and for --json: its manifest, its sizes, and what its graphs consist of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from edgekit.bundle import code, verify
from edgekit.bundle import files as bundle_files
from edgekit.bundle.files import Files, Problem
from edgekit.bundle.read import is_signature, parse
from edgekit.contract.manifest import NAME, File, Manifest, Role
from edgekit.data import Strict
from edgekit.sources.facts.content import Graph, GraphFacts, total


class Tally(Strict):
    """How much a part of a bundle is."""

    files: int
    bytes: int


class Description(Strict):
    """A bundle as `edgekit inspect` shows it.

    Attributes:
        whole: False where a file is missing, added or of another size; `edgekit verify` reads every byte.
        roles: by role; a bundle's own edgekit.json has none.
        variants: the model files by variant.
        graphs: the content of the .onnx files by variant, several of one variant added up.
        runtime: the one it carries beside this edgekit's own, which is what runs it.
        unsafe: code that does not belong there, a line a file.
    """

    whole: bool
    bytes: int
    roles: dict[Role, Tally]
    variants: dict[str, Tally]
    graphs: dict[str, GraphFacts]
    runtime: code.Likeness
    unsafe: tuple[str, ...]
    manifest: Manifest


def describe(bundle: Path) -> Description:
    """Describe a bundle, a folder or a .zip, from its manifest and its graphs; external data is not opened.

    Raises:
        BundleError: no bundle, or one whose manifest or graph cannot be read.
    """
    with bundle_files.opened(bundle) as found:
        manifest = parse(found.manifest)
        listed = {file.path: file.size for file in manifest.files}
        there = {path: size for path, size in found.sizes.items() if path != NAME and not is_signature(path, size)}
        graphs: dict[str, list[GraphFacts]] = {}
        for file in manifest.files:
            if file.variant and file.path.endswith(".onnx") and file.path in there:
                with found.open(file.path) as stream:
                    graphs.setdefault(file.variant, []).append(Graph(stream, file.path).facts())
        return Description(
            whole=there == listed and not found.odd,
            bytes=sum(found.sizes.values()),
            roles=_tallies((file.role, file) for file in manifest.files),
            variants=_tallies((file.variant, file) for file in manifest.files if file.variant),
            graphs={variant: total(parts) for variant, parts in graphs.items()},
            runtime=code.likeness(found, manifest),
            unsafe=tuple(map(str, _unsafe(found, manifest))),
            manifest=manifest,
        )


def _unsafe(found: Files, manifest: Manifest) -> Iterator[Problem]:
    """What `verify` calls unsafe, without a look at digests."""
    sizes = {file.path: file.size for file in manifest.files}
    yield from found.odd
    yield from code.unsafe(found, manifest)
    yield from verify.unsafe(found, manifest, sizes, sizes.keys() & found.sizes.keys())


def _tallies(files: Iterable[tuple[Any, File]]) -> dict[Any, Tally]:
    tallies: dict[Any, Tally] = {}
    for key, file in files:
        before = tallies.get(key, Tally(files=0, bytes=0))
        tallies[key] = Tally(files=before.files + 1, bytes=before.bytes + file.size)
    return dict(sorted(tallies.items()))
