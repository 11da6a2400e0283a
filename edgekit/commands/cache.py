"""Show what the cache holds, or remove some of it."""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Sequence
from dataclasses import asdict

import click

from edgekit import cache, console, holdings

_UNITS = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}


class Size(click.ParamType[int]):
    """A number of bytes such as 500MB or 10GB (powers of 1000)."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b?", str(value).lower())
        if found is None:
            self.fail(f"{value!r} is not a size; write one such as 500MB or 10GB", param, ctx)
        return int(float(found[1]) * _UNITS[found[2]])


@click.group(invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """What edgekit keeps to be fast: downloads and finished steps. All of it can be made again."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(show)


@command.command("show")
def show() -> None:
    """Show what the cache holds, least recently used first."""
    _present("edgekit.cache.show/1", holdings.entries())


@command.command("prune")
@click.option("--older-than", "days", type=click.FloatRange(min=0), metavar="DAYS", help="What was unused so long.")
@click.option("--max-size", type=Size(), help="Then the least recently used, until the rest fits (10GB).")
@click.option("--all", "everything", is_flag=True, help="Everything.")
def prune(days: float | None, max_size: int | None, everything: bool) -> None:
    """Remove entries: by age, by size, or all. A running build's entries are made again when it needs them."""
    if not everything and days is None and max_size is None:
        raise click.UsageError("say what to remove: --older-than DAYS, --max-size SIZE or --all")
    gone = remove(older_than_days=days, max_bytes=0 if everything else max_size)
    _present("edgekit.cache.prune/1", gone, "removed")


command.add_command(prune, "gc")  # as others call it


def remove(*, older_than_days: float | None = None, max_bytes: int | None = None) -> list[holdings.EntryInfo]:
    """Remove results unused for some days, then the least recently used until the rest fits; return the removed."""
    kept = holdings.entries()
    limit = time.time() - older_than_days * 86400 if older_than_days is not None else None
    gone = [entry for entry in kept if limit is not None and entry.last_used < limit]
    kept = [entry for entry in kept if entry not in gone]
    total = sum(entry.bytes for entry in kept)
    while max_bytes is not None and kept and (total > max_bytes or max_bytes == 0):  # 0: the empty ones too
        oldest = kept.pop(0)
        total -= oldest.bytes
        gone.append(oldest)
    for entry in gone:
        cache.discard(entry.path)
        if os.path.lexists(entry.path):
            raise PermissionError(errno.EACCES, "it cannot be removed", str(entry.path))
        entry.path.with_name(f"{entry.path.name}.lock").unlink(missing_ok=True)
    return gone


def _present(schema: str, entries: Sequence[holdings.EntryInfo], title: str = "") -> None:
    total = sum(entry.bytes for entry in entries)
    if console.json_mode():
        rows = [{**asdict(entry), "path": str(entry.path)} for entry in entries]
        console.document(schema, {"root": str(cache.root()), "bytes": total, "entries": rows})
        return
    days = [f"{(time.time() - entry.last_used) / 86400:.1f}" for entry in entries]
    console.table(
        title,
        ("stage", "what", "size", "days unused", "key"),
        [
            (entry.stage, entry.what, _size(entry.bytes), age, entry.key)
            for entry, age in zip(entries, days, strict=True)
        ],
        right=(2, 3),
    )
    console.out(f"{len(entries)} entries, {_size(total)}, in {cache.root()}")


def _size(count: float) -> str:
    """Bytes for people, in powers of 1000 as disks are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            break
        count /= 1000
    else:
        unit = "TB"
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
