"""List the device targets, show one with the origin of each value, or begin one of your own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from edgekit import console
from edgekit.commands import _offered
from edgekit.commands._places import PLACE


@click.group(invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """The device targets that ship with edgekit; without a command, list them."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_)


@command.command("list")
def list_() -> None:
    """List the targets that ship with edgekit."""
    from edgekit import target

    found = [target.load(name) for name in target.names()]
    if console.json_mode():
        keys = ("name", "title", "status", "status_reason", "successor", "os", "abi")
        console.document("edgekit.targets/1", [one.model_dump(mode="json", include=set(keys)) for one in found])
        return
    rows = [(one.name, one.title, f"{one.os} {'/'.join(one.abi)}", one.status, one.status_reason) for one in found]
    console.table("", ("target", "title", "for", "status", "because"), rows)


@command.command("show")
@click.argument("name", shell_complete=_offered.targets)
def show(name: str) -> None:
    """Show every value of target NAME (or of a .toml file) and the file it comes from."""
    from edgekit import target
    from edgekit.data import jsonable

    resolved = jsonable(target.load(name))
    written, files = target.resolve(name)
    rows = [(key, value, _origin(key, written, files)) for key, value in _flat(resolved)]
    if console.json_mode():
        origin = {key: where for key, _, where in rows}
        console.document("edgekit.targets.show/1", {"target": resolved, "origin": origin})
    else:
        console.table("", ("key", "value", "from"), [(key, _text(value), where) for key, value, where in rows])


@command.command("new")
@click.argument("name")
@click.option("--extends", "parent", required=True, help="The target to start from: a name, or a .toml file.")
@click.option("-o", "--output", "folder", type=PLACE, default=Path(), help="Where NAME.toml goes.")
@click.option("--force", is_flag=True, help="Replace a file of that name.")
def new(name: str, parent: str, folder: Path, force: bool) -> None:
    """Write NAME.toml, a target of your own that starts as another one; what you set in it wins."""
    path = begin(name, parent, folder, force=force)
    if console.json_mode():
        console.document("edgekit.targets.new/1", {"path": str(path), "extends": parent})
        return
    console.out(f"written: {path}")
    console.out(f"next: edgekit targets show {path}, then edgekit build MODEL --target {path}")


_BEGUN = """\
# A target of your own: what is set here wins over {parent}, and everything else is as there.
# `edgekit targets show {name}.toml` shows every value and where it comes from; `edgekit targets schema` explains each.
extends = "{parent}"
name = "{name}"
title = "{title}, our own"
"""


def begin(name: str, parent: str, folder: Path, *, force: bool = False) -> Path:
    """Write a target that extends another one and changes nothing yet; returns the file's path.

    Raises:
        TargetError: the name is taken or no file name; the parent is unknown or wrong; the file exists.
        UsageError: the file cannot be written.
    """
    from edgekit import kinds, output, target
    from edgekit.errors import TargetError

    name = name.removesuffix(".toml")
    base = target.load(parent)
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", name):
        raise TargetError(f"{name!r} is no name for a target", next="use small letters, digits, dots and dashes")
    if name in target.names():
        raise TargetError(f"{name} is a target that ships with edgekit", next="choose another name")
    path = folder / f"{name}.toml"
    if os.path.lexists(path) and not force:
        raise TargetError(f"{path} exists", next="choose another name, or give --force")
    above = parent if not parent.endswith(".toml") else os.path.relpath(Path(parent).resolve(), folder.resolve())
    tables = (f"\n# [{kind}]\n" + base.settings(kind).EXAMPLE.format(base.settings(kind)) for kind in kinds.names())
    output.write(path, _BEGUN.format(name=name, parent=above, title=base.title) + "".join(tables))
    target.load(str(path))
    return path


@command.command("schema")
def schema() -> None:
    """Print the JSON schema of a target file: every key, with its meaning and its default."""
    from edgekit import schemas
    from edgekit.data import pretty

    found = schemas.generate()["target"]
    if console.json_mode():
        console.document("edgekit.targets.schema/1", found)
    else:
        console.page(pretty(found))


def _flat(data: dict[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested tables with their dotted keys; lists are leaves."""
    for key, value in data.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{at}{key}.")
        else:
            yield f"{at}{key}", value


def _origin(dotted: str, written: dict[str, Any], files: dict[str, str]) -> str:
    """The file a value was read from: that of the key or of the table it came in, or "default"."""
    here: Any = written
    for part in dotted.split("."):
        if not isinstance(here, dict) or part not in here:
            return "default"
        here = here[part]
    while dotted and dotted not in files:
        dotted = dotted.rpartition(".")[0]
    return files.get(dotted, "default")


def _text(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "\n".join(" ".join(f"{key}={part}" for key, part in one.items() if part) for one in value)
    return ", ".join(str(part) for part in value) if isinstance(value, list) else str(value)
