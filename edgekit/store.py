"""A team's store behind the cache: finished steps come from it and go to it, at any address that fsspec knows.

$EDGEKIT_STORE names one or more, with spaces between them: a folder, s3://bucket/path, gs://, az://, https://. The
first that has a step gives it; "ro+" before an address says that nothing is written there. A step is one object,
<stage>/<key>.tar, so that it is there whole or not at all, whoever is killed; its files are held against the digests
that it came with. A store that does not answer is said once, and done without: it saves time and decides nothing.

Whoever may write into a store decides what is built from it, as whoever may write into the cache does.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from edgekit import console
from edgekit.errors import EdgekitError, ToolMissing, UsageError
from edgekit.extras import require

VARIABLE = "EDGEKIT_STORE"
READ_ONLY = "ro+"
LOCAL = ("trial", "bundle")  # stages whose results mean something on one machine alone

_silent: set[str] = set()  # addresses that did not answer in this process


@dataclass(frozen=True)
class Store:
    """One address.

    Attributes:
        url: as fsspec has it, without a slash at its end.
        writable: steps that were made here go there too.
    """

    url: str
    writable: bool = True

    def object(self, stage: str, key: str) -> str:
        """Where a step lies."""
        return f"{self.url}/{stage}/{key}.tar"


def stores() -> list[Store]:
    """Those that $EDGEKIT_STORE names, in its order, but for those that did not answer.

    Raises:
        UsageError: something that is no address.
    """
    named = []
    for word in os.environ.get(VARIABLE, "").split():
        url = word.removeprefix(READ_ONLY).rstrip("/")
        if not url:
            raise UsageError(f"{VARIABLE}: {word!r} is no address", next="write a folder, or s3://bucket/path")
        named.append(Store(url, writable=not word.startswith(READ_ONLY)))
    return [store for store in named if store.url not in _silent]


def fetch(stage: str, key: str, folder: Path) -> bool:
    """Fill an empty folder with a step that a store has; False, and an empty folder, where none does.

    Of an object that is damaged there is less in the folder than its record says.
    """
    for store in stores() if stage not in LOCAL else ():
        with _answering(store):
            system, path = _opened(store.object(stage, key))
            if system.exists(path):
                broken = suppress(tarfile.TarError)
                with broken, system.open(path, "rb") as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
                    archive.extractall(folder, filter="data")
                console.detail(f"{stage} {key[:12]} comes from {store.url}")
                return True
        shutil.rmtree(folder)
        folder.mkdir()
    return False


def push(stage: str, key: str, folder: Path, *, replace: bool = False) -> None:
    """Put a step into every store that may be written and has it not; with `replace`, where it has it too."""
    for store in stores() if stage not in LOCAL else ():
        if store.writable:
            with _answering(store):
                _put(store.object(stage, key), folder, replace)


def _put(url: str, folder: Path, replace: bool) -> None:
    system, path = _opened(url)
    if system.exists(path) and not replace:
        return
    system.makedirs(PurePosixPath(path).parent.as_posix(), exist_ok=True)
    whole = system.transaction  # nobody sees a part of it
    try:
        with whole, system.open(path, "wb") as stream, tarfile.open(fileobj=stream, mode="w|") as archive:
            for file in sorted(folder.rglob("*")):
                archive.add(file, file.relative_to(folder).as_posix(), recursive=False, filter=_plain)
    except Exception:  # Azure's refuses one of two that write the same at once
        system.invalidate_cache()
        if replace or not system.exists(path):
            raise
    console.detail(f"stored: {url}")


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Nothing of this machine: the same step gives the same object."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


def _opened(url: str) -> tuple[Any, str]:
    """The file system of an address, and the path on it.

    Raises:
        ToolMissing: fsspec, or the package that it has for such addresses, is not installed.
    """
    require("store")
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        package = str(getattr(error.__cause__ or error, "name", None) or "its package").partition(".")[0]
        raise ToolMissing(f"{VARIABLE}: {url} needs {package}: {error}", next=f"pip install {package}") from None
    return system, str(path)


@contextmanager
def _answering(store: Store) -> Iterator[None]:
    """Whatever a store's own library raises is one warning; it is left alone for as long as this process lives."""
    try:
        yield
    except EdgekitError:
        raise
    except Exception as error:
        _silent.add(store.url)
        told = " ".join(str(error).split())[:200] or type(error).__name__
        console.warn(f"the store {store.url} does not answer, its steps are made here: {told}")
