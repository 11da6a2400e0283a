"""Put files on a device: only what it lacks, in pieces that a cut connection does not lose, proven by their hash there.

    BASE/bundles/<digest>/...     a tree, kept for the next push; <digest> names its files, sizes and hashes
    BASE/bundles/<digest>.txt     "sha256 size path" of its files
    BASE/parts/<sha256>           what has arrived so far of a file

A file gets its name in a tree only after its sha256 was found right on the device, and then the time STAMP: a file with
that time and the right size is not sent, nor hashed, again. Other trees give what they share, by link or copy, and are
removed, the oldest first, where their space is needed. `edgekit devices clean ADDRESS` removes everything.
"""

from __future__ import annotations

import io
import posixpath
import re
import tarfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from edgekit.data import digest
from edgekit.devices._lock import Held
from edgekit.devices._shell import AGAIN, FREE_SPACE
from edgekit.errors import DeviceError

STAMP = 978307200  # 2001-01-01 00:00 UTC: no file that was written in any other way has it
_TOUCH = "200101010000.00"
PIECE = 8 * 2**20  # bytes of one call: a second over USB 2, and what a cut connection loses at most
SMALL = 256 * 1024  # bytes; such files are sent together, FILES at a time: a call costs more than their bytes
FILES = 50
RESERVE = 32 * 2**20  # bytes left free on the device, for outcomes and logs
SLOWEST = 100_000  # bytes a second; below, a line counts as hung
SLOWEST_HASH = 5_000_000

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Item:
    """A file to be put at `path` (relative, with slashes) of a tree."""

    path: str
    local: Path
    size: int
    sha256: str
    executable: bool = False


@dataclass(frozen=True)
class Place:
    """The device as a push sees it."""

    lock: Held
    base: str
    address: str

    def ask(self, script: str, doing: str, *, timeout: float = 30.0, stdin: bytes | None = None) -> str:
        """A script that must not fail, begun in BASE."""
        return self.lock.must(f"cd {quote(self.base)} || exit 1\n{script}", doing, timeout=timeout, stdin=stdin)


def push(place: Place, items: Sequence[Item], *, tell: Tell, keep: Collection[str] = ()) -> str:
    """Make the tree of these items whole on the device and return its folder.

    Args:
        keep: digests of trees that are in use and must stay.

    Raises:
        DeviceError: the device is full or has gone, or a file arrives changed twice.
    """
    name = digest([[item.path, item.size, item.sha256, item.executable] for item in items])[:24]
    tree = f"bundles/{name}"
    listing = "".join(f"{item.sha256} {item.size} {item.path}\n" for item in items)
    place.ask(f"mkdir -p {tree} parts && cat > {tree}.txt", "making folders", stdin=listing.encode())
    missing, unsure = _compare(items, _stats(place, tree))
    missing += [item for item in unsure if not _proven(place, f"{tree}/{item.path}", item)]
    if missing:
        _make_room(place, missing, {name, *keep})
        try:
            _fill(place, tree, missing, tell)
        except DeviceError as error:
            if error.next == FREE_SPACE:  # what fills a device helps nobody
                place.ask(f"rm -rf parts {tree} {tree}.txt", "removing what was sent")
            raise
    place.ask("rm -rf parts", "removing parts")
    return f"{place.base}/{tree}"


def kept(place: Place) -> list[str]:
    """The digests of the trees on the device, the oldest first."""
    found = place.ask("mkdir -p bundles && cd bundles && ls -tr -- *.txt 2>/dev/null || true", "listing trees")
    return [line.removesuffix(".txt") for line in found.split("\n") if re.fullmatch(r"[0-9a-f]{24}\.txt", line)]


def _compare(items: Sequence[Item], there: Mapping[str, tuple[int, int]]) -> tuple[list[Item], list[Item]]:
    """The items that are not there, and those of the right size whose hash nobody vouches for."""
    missing, unsure = [], []
    for item in items:
        size, time = there.get(item.path, (-1, 0))
        if size != item.size:
            missing.append(item)
        elif time != STAMP:
            unsure.append(item)
    return missing, unsure


def _stats(place: Place, folder: str) -> dict[str, tuple[int, int]]:
    """Size and time of each file below a folder of BASE, by its path there."""
    script = f"[ -d {folder} ] || exit 0; cd {folder} && find . -type f -exec stat -c '%s %Y %n' {{}} +"
    found = {}
    for line in place.ask(script, "listing files").splitlines():
        size, _, rest = line.partition(" ")
        time, _, path = rest.partition(" ")
        if size.isdigit() and time.lstrip("-").isdigit():
            found[path.removeprefix("./")] = int(size), int(time)
    return found


def _make_room(place: Place, missing: Sequence[Item], keep: Collection[str]) -> None:
    """Free what the push needs by removing other trees.

    Raises:
        DeviceError: the device is too full all the same.
    """
    parts = _stats(place, "parts")
    needed = sum(item.size - min(item.size, parts.get(item.sha256, (0, 0))[0]) for item in missing) + RESERVE
    others = [name for name in kept(place) if name not in keep]
    room = free(place)
    while room < needed and others:
        oldest = others.pop(0)
        place.ask(f"rm -rf bundles/{oldest} bundles/{oldest}.txt", "removing an older bundle", timeout=120)
        room = free(place)
    if room < needed:
        place.ask("rm -rf parts", "removing parts")
        raise DeviceError(
            f"{place.address} is full: {room / 1e6:.0f} MB are free in {place.base}, {needed / 1e6:.0f} MB are needed",
            next=FREE_SPACE,
        )


def free(place: Place) -> int:
    """Bytes that are free in BASE."""
    found = re.search(r"\s(\d+)\s+\d+%\s", place.ask("df -Pk .", "asking for free space"))
    if found is None:
        raise DeviceError(f"{place.address} does not tell its free space (df -Pk)", next="look with --verbose")
    return int(found[1]) * 1024


def _fill(place: Place, tree: str, missing: Sequence[Item], tell: Tell) -> None:
    """Bring every missing file: small ones together, large ones from another tree of the device, else over the line."""
    elsewhere = _elsewhere(place, {item.sha256 for item in missing}, tree)
    parts = _stats(place, "parts")
    total, sent = sum(item.size for item in missing), 0

    def told(count: int) -> None:
        tell(f"sending {count / 1e6:.1f} of {total / 1e6:.1f} MB")

    for batch in _batches([item for item in missing if item.size <= SMALL]):
        _send_together(place, batch, tree)
        sent += sum(item.size for item in batch)
        told(sent)
    for item in missing:
        if item.size > SMALL:
            path = f"{tree}/{item.path}"
            source = elsewhere.get(item.sha256)
            if source is None or not _shared(place, source, path, item):
                for arrived in _send(place, item, path, parts.get(item.sha256, (0, 0))[0]):
                    told(sent + arrived)
            elsewhere[item.sha256] = path  # weights that two variants share cross the line once
            sent += item.size


def _batches(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Small files in groups that one call can carry."""
    batch: list[Item] = []
    for item in items:
        if len(batch) == FILES or sum(one.size for one in batch) + item.size > PIECE:
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def _send_together(place: Place, batch: Sequence[Item], tree: str) -> None:
    """Send small files as one archive, prove each by its hash, then give them their names. Once more if one differs."""
    archive = _archive(batch)
    names = " ".join(sorted({item.sha256 for item in batch}))
    places = "".join(
        f"put {item.sha256} {quote(f'{tree}/{item.path}')} {'755' if item.executable else '644'}\n" for item in batch
    )
    script = (
        'put() { mkdir -p "${2%/*}" && rm -f "$2" && cp parts/$1 "$2" && chmod $3 "$2" && '
        f'touch -t {_TOUCH} "$2" || exit 1; }}\n'
        f"{places}"
    )
    for _ in range(2):
        limit = 60 + len(archive) / SLOWEST
        told = place.ask(
            f"tar -xf - -C parts && cd parts && sha256sum {names}", "writing files", timeout=limit, stdin=archive
        )
        if {line.split()[0] for line in told.splitlines() if line.strip()} == set(names.split()):
            place.ask(script, "placing files")
            return
    raise _changed(place, f"one of {len(batch)} small files")


def _archive(items: Sequence[Item]) -> bytes:
    """A tar archive of files by their hash, plain enough for every tar."""
    found = io.BytesIO()
    with tarfile.open(fileobj=found, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for item in {item.sha256: item for item in items}.values():
            content = item.local.read_bytes()
            entry = tarfile.TarInfo(item.sha256)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return found.getvalue()


def _elsewhere(place: Place, wanted: Collection[str], but: str) -> dict[str, str]:
    """Where other trees than `but` hold files of these hashes: sha256 -> path below BASE."""
    script = 'cd bundles && for list in *.txt; do [ -f "$list" ] && echo "= $list" && cat "$list"; done; true'
    found: dict[str, str] = {}
    tree = ""
    for line in place.ask(script, "listing trees").splitlines():
        first, _, rest = line.partition(" ")
        if first == "=":
            tree = f"bundles/{rest.removesuffix('.txt')}"
        elif first in wanted and tree != but:
            found.setdefault(first, f"{tree}/{rest.partition(' ')[2]}")
    return found


def _shared(place: Place, source: str, path: str, item: Item) -> bool:
    """Take a file from another tree, by link where the system allows one, and prove it; False where that fails."""
    script = (
        f"[ -f {quote(source)} ] || exit 0\n"
        f"mkdir -p {quote(posixpath.dirname(path))} && rm -f {quote(path)}\n"
        f"ln {quote(source)} {quote(path)} 2>/dev/null || cp {quote(source)} {quote(path)}\n"
        f"stat -c %s {quote(path)}"
    )
    size = place.ask(script, f"copying {item.path}", timeout=60 + item.size / SLOWEST_HASH).strip()
    return size == str(item.size) and _proven(place, path, item)


def _send(place: Place, item: Item, path: str, start: int) -> Iterator[int]:
    """Send a file, from where an earlier try ended; tells the bytes that are there. A changed one is sent once more."""
    part = f"parts/{item.sha256}"
    mode = "755" if item.executable else "644"
    place_it = f"mkdir -p {quote(posixpath.dirname(path))} && chmod {mode} {part} && mv -f {part} {quote(path)}"
    for attempt in range(2):
        if attempt or start > item.size:
            place.ask(f"rm -f {part}", "removing a part")
            start = 0
        yield from _append(place, item, part, start)
        if _proven(place, part, item, place_it):
            return
    place.ask(f"rm -f {part}", "removing a part")
    raise _changed(place, item.path)


def _changed(place: Place, what: str) -> DeviceError:
    return DeviceError(
        f"{what} arrived changed on {place.address}, twice (its sha256 differs)",
        next=f"{AGAIN}; another cable or network, if it stays so",
    )


def _append(place: Place, item: Item, part: str, start: int) -> Iterator[int]:
    script = f"cat >> {part} && stat -c %s {part}"
    with item.local.open("rb") as stream:
        at = stream.seek(start)
        while at < item.size or not item.size:
            piece = stream.read(PIECE)
            at += len(piece)
            if at > item.size or (not piece and item.size):
                raise DeviceError(f"{item.local} changed while it was sent", next="run the same command again")
            limit = 60 + len(piece) / SLOWEST
            told = place.ask(script, f"writing {item.path}", timeout=limit, stdin=piece).strip()
            if told != str(at):
                place.ask(f"rm -f {part}", "removing a part")
                raise DeviceError(f"{place.address} holds {told[:20]} bytes of {item.path} instead of {at}", next=AGAIN)
            yield at
            if not item.size:
                return


def _proven(place: Place, path: str, item: Item, then: str = "true") -> bool:
    """Whether a file on the device has the item's sha256; if so it gets STAMP, and `then` is done with it."""
    script = (
        f'h=$(sha256sum < {quote(path)}) || exit 1; h=${{h%% *}}; echo "$h"; [ "$h" = {item.sha256} ] || exit 0\n'
        f"touch -t {_TOUCH} {quote(path)} && {then}"
    )
    return place.ask(script, f"hashing {item.path}", timeout=60 + item.size / SLOWEST_HASH).strip() == item.sha256
