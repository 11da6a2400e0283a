"""Which bundle a build gave: one that is there, whole, and what its key gave last need not be built again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgekit import cache, digests
from edgekit.bundle.read import is_signature, read
from edgekit.contract.manifest import Manifest
from edgekit.data import pretty, write_atomic
from edgekit.errors import EdgekitError


@digests.remembered()
def unchanged(destination: Path, key: dict[str, Any]) -> Manifest | None:
    """The bundle at the destination, if it is what this key gave and none of its bytes changed since."""
    if (record := cache.lookup("bundle", key)) is None or not destination.is_dir():
        return None
    try:
        manifest = read(destination)
        sealed = json.loads((record / "bundle.json").read_text(encoding="utf-8"))["sha256"]
        paths = {path.relative_to(destination).as_posix() for path in destination.rglob("*") if not path.is_dir()}
        signatures = {path for path in paths if is_signature(path, (destination / path).lstat().st_size)}
        whole = paths - signatures - {"edgekit.json"} == {one.path for one in manifest.files} and all(
            cache.path_digest(destination / one.path) == one.sha256 for one in manifest.files
        )
    except (EdgekitError, OSError, ValueError, KeyError):
        return None
    return manifest if whole and manifest.sha256 == sealed else None


def files(bundle: Path) -> dict[str, str]:
    """Digests of a bundle's files by path; empty where none lies there."""
    try:
        return {one.path: one.sha256 for one in read(bundle).files}
    except EdgekitError:
        return {}


def remember(key: dict[str, Any], manifest: Manifest) -> None:
    """Keep that this key gave this bundle, in place of what it gave before."""

    def write(folder: Path) -> None:
        write_atomic(folder / "bundle.json", pretty({"name": manifest.name, "sha256": manifest.sha256}))

    if (old := cache.lookup("bundle", key)) is not None:
        cache.discard(old)
    cache.produce("bundle", key, write, what=manifest.name)
