"""What a result depends on besides its request, so that no cache serves the work of other code, engines or machines.

The digest of some roots is of the files of edgekit that they import, at whatever depth (imports in functions count,
those for type checkers do not, a module brings the __init__ of its packages), of the members of packages they ask
registry for, and of the data files they ask `files` for. All of these stand in the source as literals. What is loaded
by a name that stands in data has to be a root.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from edgekit import data, digests, engines, memo
from edgekit.files import PACKAGE

# They touch no byte of a result, and change often: the version, what people are told, how errors are named.
INERT = ("__init__.py", "columns.py", "console.py", "errors.py", "progress.py")
MEMO = "code.json"


class Parts(NamedTuple):
    """A source file: its digest (line ends made equal), and the literals that lead on from it.

    Attributes:
        modules: absolute names of what it imports of its own package; of `from a import b` also a.b.
        members: packages any of whose members it may load.
        resources: data files and folders, below the package.
    """

    sha256: str
    modules: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Basis:
    """Declared by each stage.

    Attributes:
        roots: modules that touch bytes, with all that they import: the child's, and those that its request names.
        alone: modules whose imports do not count: they ask the child, and what they ask with stands in the key.
        engines: distributions that the child computes with.
        floats: it computes with floats, whose last bits depend on the machine.
    """

    roots: tuple[str, ...]
    alone: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    floats: bool = True

    def key(self) -> dict[str, Any]:
        """To be part of a result's key."""
        machine = {"machine": engines.machine()} if self.floats else {}
        covered = digest(*self.roots, alone=self.alone)
        return {"code": covered, "engines": engines.installed(self.engines), **machine}

    def uncovered(self, used: Mapping[str, Sequence[str]]) -> list[str]:
        """The files of edgekit that a child used although the key does not cover them (see edgekit.used)."""
        covered = listing(*self.roots, alone=self.alone)
        return sorted(set(used["files"]) - covered.keys() - set(INERT))


def imported(used: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The distributions that a child imported, as they are installed."""
    return engines.installed(engines.of_modules(frozenset(used["modules"])))


def digest(*roots: str, alone: tuple[str, ...] = (), package: Path = PACKAGE) -> str:
    """One sha256 for all that `listing` lists."""
    return data.digest(listing(*roots, alone=alone, package=package))


@memo.of_tree
def listing(*roots: str, alone: tuple[str, ...] = (), package: Path = PACKAGE) -> dict[str, str]:
    """sha256 by path below the package, sorted: of the modules `roots` with all that they lead to.

    Args:
        roots: absolute names ("edgekit.jobs.olive.run").
        alone: modules that count without what they import: they ask for a result, and what they ask with is data.
    """
    found: dict[str, str] = {}
    paths = cache(lambda name: [path.relative_to(package).as_posix() for path in _files(name, package)])
    with digests.remembered(MEMO) as known:
        todo = [inside for name in roots for inside in paths(name)]
        while todo:
            inside = todo.pop()
            if inside in found or inside in INERT:
                continue
            parts = _parts(package / inside, package, known)
            found[inside] = parts.sha256
            todo += [below for name in parts.modules for below in paths(name)]
            members = (path for name in parts.members for path in _members(name, package))
            todo += [path.relative_to(package).as_posix() for path in members]
            found |= {file: _data(package / file, known) for name in parts.resources for file in _below(name, package)}
        for name in alone:
            found.setdefault(paths(name)[-1], _parts(package / paths(name)[-1], package, known).sha256)
    return dict(sorted(found.items()))


def parse(source: bytes, name: tuple[str, ...]) -> Parts:
    """The parts of a source file.

    Args:
        name: of the package it lies in, ("edgekit", "jobs"): where its relative imports begin.
    """
    tree = ast.parse(source)
    own = f"{name[0]}."
    modules = dict.fromkeys(module for module in imports(tree, name) if module.startswith(own))
    asked: dict[str, list[str]] = {"registry.members": [], "registry.member": [], "files.resource": []}
    for node in _runs(tree):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            asked.get(ast.unparse(node.func), []).append(str(node.args[0].value))
    members = dict.fromkeys([*asked["registry.members"], *asked["registry.member"]])
    return Parts(sha256_of(source), tuple(modules), tuple(members), tuple(dict.fromkeys(asked["files.resource"])))


def imports(tree: ast.AST, name: tuple[str, ...]) -> Iterator[str]:
    """What a module of the package `name` imports, absolute; of `from a import b` also a.b."""
    for node in _runs(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = name[: len(name) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _runs(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those below `if TYPE_CHECKING:`."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            todo += node.orelse
        else:
            todo += ast.iter_child_nodes(node)


def _files(module: str, package: Path) -> list[Path]:
    """The file of a module after the __init__ of its packages; those of `a` for a.b, where b is no module."""
    found, place = [], package.parent
    for part in module.split("."):
        place = place / part
        if place.is_dir() and (place / "__init__.py").is_file():
            found.append(place / "__init__.py")
        elif place.with_suffix(".py").is_file():
            found.append(place.with_suffix(".py"))
        else:
            break
    return found


def _members(name: str, package: Path) -> Iterator[Path]:
    """The files of a package's public modules; the __init__ of a package among them."""
    folder = package.parent.joinpath(*name.split("."))
    yield from _files(name, package)
    for path in sorted(folder.iterdir()):
        if not path.name.startswith("_"):
            yield from _files(f"{name}.{path.stem}", package)[-1:] if path.suffix == ".py" or path.is_dir() else ()


def _below(resource: str, package: Path) -> list[str]:
    """A data file, or all files of a folder; targets/ lies elsewhere in a checkout, and is data of the plan."""
    path = package / resource
    files = [path] if path.is_file() else [below for below in path.rglob("*") if below.is_file()]
    listed = (file.relative_to(package) for file in files if file.suffix != ".pyc")
    return sorted(file.as_posix() for file in listed if not any(part.startswith(".") for part in file.parts))


@cache
def _reader() -> str:
    """What this very file read is remembered for it alone."""
    return sha256_of(Path(__file__).read_bytes())[:16]


def _parts(path: Path, package: Path, memo: dict[str, Any]) -> Parts:
    """The parts of a module. One file may be asked for as data too: a runtime is imported here, and lies in bundles."""
    inside, role = path.relative_to(package.parent).parent.parts, f"module {_reader()}"
    sha256, *more = digests.recalled(memo, path, lambda file: [*parse(file.read_bytes(), inside)], role)
    return Parts(sha256, *map(tuple, more))


def _data(path: Path, memo: dict[str, Any]) -> str:
    """The digest of a data file."""
    return str(digests.recalled(memo, path, lambda file: sha256_of(file.read_bytes()), f"data {_reader()}"))


def sha256_of(content: bytes) -> str:
    """Of a source file, the same with the line ends of any system."""
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()
