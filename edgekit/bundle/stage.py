"""Lay a bundle's files out in a workspace, so that what is gated and recorded is what will be shipped."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from edgekit.bundle import aside
from edgekit.contract.manifest import NAME, Draft
from edgekit.data import jsonable, pretty
from edgekit.errors import BuildError

RUNTIME = "runtime"
_CHUNK = 64 * 2**20


def stage(
    folder: Path,
    draft: Draft,
    model_files: Mapping[str, Path],
    runtime: Mapping[str, Path | str],
    licenses: Mapping[str, str],
) -> None:
    """Fill `folder` with all but the check data; its edgekit.json is the draft, for the wrapper to open.

    Files are copied, never hard-linked: a bundle whose file somebody edits must not damage the cache that the
    next build takes it from. Where the file system can, a copy shares its blocks and costs nothing.

    Args:
        folder: does not exist yet; `new` in an `aside.workspace` of the destination.
        draft: the manifest without files and sha256.
        model_files: where a file or a folder of the bundle comes from ("model/portable/model.onnx" -> a file,
            "model/portable" -> a folder).
        runtime: likewise, by the path below runtime/, or the text itself; compiled files are left out.
        licenses: text by file name, written to LICENSES/.

    Raises:
        BuildError: a missing file, a full disk.
    """
    with aside.writing("staging the bundle", otherwise=BuildError):
        folder.mkdir()
        below = {f"{RUNTIME}/{inside}": origin for inside, origin in runtime.items()}
        texts = {f"LICENSES/{name}": text for name, text in licenses.items()}
        for inside, origin in {**model_files, **below, **texts}.items():
            if isinstance(origin, str):
                write(folder / inside, origin)
                continue
            for part, path in files_of(origin):
                copy(path, folder / inside / part)
        write(folder / NAME, pretty(jsonable(draft)))


def copy(origin: Path, to: Path) -> None:
    """Copy a file's bytes, by sharing blocks or inside the kernel where it can; neither times nor rights."""
    to.parent.mkdir(parents=True, exist_ok=True)
    with origin.open("rb") as source, to.open("xb") as sink:
        if hasattr(os, "copy_file_range"):
            with suppress(OSError):  # a file system that cannot: the plain copy goes on, or says why
                while os.copy_file_range(source.fileno(), sink.fileno(), _CHUNK):
                    pass
        sink.seek(0, os.SEEK_END)
        source.seek(sink.tell())
        shutil.copyfileobj(source, sink, 2**20)


def write(path: Path, text: str) -> None:
    """Write a text file the same on every system: UTF-8, and line ends as they are in `text`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")


def files_of(origin: Path) -> Iterator[tuple[str, Path]]:
    """The files at `origin` with their path below it; links are followed (a hub's cache is made of them)."""
    if not origin.is_dir():
        yield "", origin
        return
    for path in sorted(origin.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            yield path.relative_to(origin).as_posix(), path
