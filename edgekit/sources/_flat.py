"""A sentence-transformers folder whose net lies one folder below (0_Transformer), laid out as newer versions do."""

from __future__ import annotations

import shutil
from pathlib import Path

from edgekit import cache, digests
from edgekit.data import pretty
from edgekit.digests import Snapshot
from edgekit.sources._convert import MODEL
from edgekit.sources.facts import modules
from edgekit.sources.facts.files import check_links


def made(folder: Path, taken: Snapshot) -> tuple[Path, Snapshot]:
    """The folder, or a copy in the cache in which the net's files lie at the top; with its snapshot.

    Raises:
        SourceError: a link that leads out of it.
    """
    if (net := modules.net(folder)) == folder:
        return folder, taken
    check_links(folder)
    key = {"job": "flat", "source": cache.path_digest(folder)}

    def make(entry: Path) -> None:
        for name, path in digests.listing(folder):
            inside = path.relative_to(net).as_posix() if path.is_relative_to(net) else name
            if inside == name and (net / name).exists():  # the net's own has this place
                continue
            copied = entry / MODEL / inside
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copied)
        (entry / MODEL / modules.MODULES).write_text(pretty(modules.flat(folder)), encoding="utf-8")

    place = cache.produce("import", key, make, what=f"{folder.name}, laid flat", read=(taken,)).path / MODEL
    return place, digests.snapshot(place, what=taken.what)
