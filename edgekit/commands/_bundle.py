"""What a command asks of the path of a bundle before it looks inside."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def folder(bundle: Path, words: str) -> Path:
    """The same path, if no packed bundle lies there: engines map a model's files, which a .zip has not.

    Args:
        words: of the command line that takes the folder ("check"), for the next step.

    Raises:
        BundleError: it is a file.
    """
    from edgekit.bundle.read import GIVE
    from edgekit.errors import BundleError

    if not bundle.is_file():
        return bundle
    if bundle.suffix != ".zip":
        raise BundleError(f"{bundle} is not a bundle: it is a file", next=GIVE)
    unpacked = bundle.with_suffix("")
    packed, there = shlex.quote(str(bundle)), shlex.quote(str(unpacked))
    how = f"python3 -m zipfile -e {packed} {there}, then edgekit {words} {there}"
    raise BundleError(f"{bundle} is packed, and {words} opens a folder: unpack it first", next=how)


@contextmanager
def unchanged(bundle: Path) -> Iterator[Callable[[], None]]:
    """What is done with a bundle counts only if it stays what was verified: files swapped and put back are seen too.

    It is looked at when the block is left, and whenever what is yielded is called: before something is shown.

    Raises:
        BundleError: it changed.
    """
    from edgekit import digests
    from edgekit.errors import BundleError, SourceError

    taken = digests.snapshot(bundle, what=f"the bundle {bundle.name}")

    def still() -> None:
        try:
            taken.check()
        except SourceError as changed:
            raise BundleError(changed.message, next=changed.next) from None

    try:
        yield still
    finally:
        still()
