"""A graph in a hub's cache, whose files are links to blobs: onnx and ONNX Runtime take none, so they get real files."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from edgekit import cache, digests
from edgekit.digests import Snapshot
from edgekit.sources._convert import MODEL
from edgekit.sources.facts.files import TOKENIZER_LIMIT, inside, license_files

BESIDE = (".json", ".txt", ".md", ".model", ".jinja")  # what is read beside a graph


def is_linked(path: Path, stored: Sequence[str]) -> bool:
    """True where weights of the graph are links, and every one leads to where a model's files may lie."""
    files = [path.parent / name for name in stored]
    linked = [file for file in files if file.resolve() != path.parent.resolve() / file.relative_to(path.parent)]
    return bool(linked) and all(file.is_file() and inside(file.resolve(), path.parent) for file in linked)


def copied(path: Path, stored: Sequence[str], taken: Snapshot, name: str) -> tuple[Path, Snapshot]:
    """The graph, its weights and the small files beside it as files of the cache, and their snapshot.

    Args:
        stored: the files of its weights, as it names them.
        taken: of all that is copied.
    """
    beside = [file for file in path.parent.iterdir() if file.suffix in BESIDE and file.is_file()]
    small = {file for file in beside if file.stat().st_size <= TOKENIZER_LIMIT} | set(license_files(path.parent))
    names = {file.name for file in small if inside(file.resolve(), path.parent)}
    files = {other: path.parent / other for other in sorted({*names, *stored, path.name})}
    key = {"job": "unlinked", "files": {other: cache.path_digest(file) for other, file in files.items()}}

    def make(entry: Path) -> None:
        for other, file in files.items():
            made = entry / MODEL / other
            made.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, made)

    read = digests.snapshot(*files.values(), what=taken.what)
    place = cache.produce("import", key, make, what=f"{name}, without links", read=(taken, read)).path / MODEL
    return place / path.name, digests.snapshot(place, what=taken.what)
