"""A graph whose weights are links: to the blobs of a hub's cache, or other names of files that a copy made by `cp -l`
shares. onnx and ONNX Runtime take neither, so they get real files. So does a graph whose other files lie elsewhere.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from edgekit import cache, digests
from edgekit.digests import Snapshot
from edgekit.sources._convert import MODEL
from edgekit.sources.facts.files import TOKENIZER_LIMIT, inside, license_files

BESIDE = (".json", ".txt", ".md", ".model", ".jinja")  # what is read beside a graph


def is_whole(path: Path, stored: Sequence[str]) -> bool:
    """True where all weights of the graph are there, and lie where a model's files may."""
    files = [path.parent / name for name in stored]
    return all(file.is_file() and inside(file.resolve(), path.parent) for file in files)


def is_linked(path: Path, stored: Sequence[str]) -> bool:
    """True where weights of the graph, which is whole, are links, soft or hard."""
    files = [path.parent / name for name in stored]
    places = (path.parent.resolve() / file.relative_to(path.parent) for file in files)
    return any(file.resolve() != place or file.stat().st_nlink > 1 for file, place in zip(files, places, strict=True))


def copied(
    path: Path, stored: Sequence[str], taken: Snapshot, name: str, home: Path, graph: bytes | None = None
) -> tuple[Path, Snapshot]:
    """The graph, its weights and the small files of its home as files of the cache, and their snapshot.

    Args:
        stored: the files of its weights, as it names them.
        taken: of all that is copied.
        home: the folder of the files that describe it.
        graph: what stands in the place of the graph's file.
    """
    beside = [file for file in home.iterdir() if file.suffix in BESIDE and file.is_file()]
    small = {file for file in beside if file.stat().st_size <= TOKENIZER_LIMIT} | set(license_files(home))
    described = {file.name: file for file in small if inside(file.resolve(), home)}
    files = dict(sorted({**described, **{other: path.parent / other for other in (*stored, path.name)}}.items()))
    digested = {other: cache.path_digest(file) for other, file in files.items()}
    key = {"job": "unlinked", "files": digested, "graph": sha256(graph or b"").hexdigest()}

    def make(entry: Path) -> None:
        for other, file in files.items():
            made = entry / MODEL / other
            made.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, made)
        if graph is not None:
            (entry / MODEL / path.name).write_bytes(graph)

    read = digests.snapshot(*files.values(), what=taken.what)
    place = cache.produce("import", key, make, what=f"{name}, as files of its own", read=(taken, read)).path / MODEL
    return place / path.name, digests.snapshot(place, what=taken.what)
