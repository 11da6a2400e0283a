"""What the model files of a bundle may make an engine open, load or write: files of the bundle, and no code at all.

An engine opens every `filename` of a genai_config.json and every location that a graph names, hands provider_options to
execution providers, which load libraries by them, and registers a custom_ops_library. In a bundle of a stranger each of
these could run his code or write files, with no word of it in the manifest. `edgekit verify` and the runtimes ask here.
"""

from __future__ import annotations

import mmap
import os
import posixpath
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from . import paths, strict
from .references import references
from .rules import RULES

CONFIG = "genai_config.json"
CONFIG_BYTES = 4 << 20
MAX_GRAPH = 2**31 - 1  # protobuf's own limit
Fault = tuple[str, str]  # the path of a file, and what is wrong with it
Open = Callable[[str], BinaryIO]
_KNOWN = frozenset(RULES["known"])


def faults(
    sizes: Mapping[str, int],
    open_: Open,
    variants: Iterable[Mapping[str, Any]],
    form: str,
    *,
    readable: Collection[str] | None = None,
) -> Iterator[Fault]:
    """What is wrong with the model files of a bundle, file by file.

    Args:
        sizes: bytes by path of the bundle's files; others are not there.
        open_: gives the bytes of one of them.
        variants: those of the manifest that are looked at.
        form: how the runtime opens them: as a folder of GenAI ("genai"), or as a file.
        readable: those of the files that may be read; None is all.
    """
    there = [path for path in sizes if path.startswith(("model/", "check/"))]
    can_read = set(there if readable is None else readable)
    yield from ((path, why) for path in there if (why := _misspelled(path)))
    opened: set[str] = set()
    for path in there:
        if path in can_read and path.casefold().endswith(".json"):
            name = posixpath.basename(path)
            with open_(path) as stream:
                raw = stream.read(strict.MAX_BYTES + 1)
            document, why = _document(raw, name)
            if why:
                yield path, why
            elif name == CONFIG:
                opened |= _opened(document, posixpath.dirname(path))
                yield from ((path, told) for told in genai(document, path, sizes))
    for variant in variants:
        path = str(variant["path"])
        if form == "genai":
            continue  # a folder; what the engine opens in it was asked of its genai_config.json
        opened.add(path)
        if path not in sizes:
            yield path, "the engine would open it, and it is no file of the bundle"
    graphs = {path for path in there if path in opened or path.casefold().endswith((".onnx", ".ort"))}
    for path in sorted(graphs & can_read):
        with open_(path) as stream:
            yield from ((path, told) for told in graph(stream, path, sizes, graphs))


def check(folder: Path, variant: Mapping[str, Any], form: str) -> Fault | None:
    """The first fault of a variant's files as they lie in a bundle's folder, links and strange files among them."""
    home = f"model/{variant['name']}"
    if not f"{variant['path']}/".startswith(f"{home}/"):
        return str(variant["path"]), f"the variant's files lie in {home!r}"
    sizes: dict[str, int] = {}
    for path, entry in _entries(folder, home):
        if entry.is_symlink() or not entry.is_file(follow_symlinks=False):
            return path, "a link or a special file, and a bundle holds none"
        sizes[path] = entry.stat(follow_symlinks=False).st_size
    if twice := paths.clash(sizes):
        return home, f"{twice[:240]} are the same to some file systems"
    told = options(str(variant.get("ep", "cpu")), variant.get("ep_options") or {}, "ep_options")
    if why := next(told, ""):
        return "edgekit.json", why
    return next(faults(sizes, lambda path: (folder / path).open("rb"), [variant], form), None)


def genai(document: Any, path: str, there: Collection[str]) -> Iterator[str]:
    """What is wrong with the genai_config.json at `path`: each key with its place."""
    folder = posixpath.dirname(path)
    for kind, place, key, value in _walk("root", "", "", document):
        shown = f"{place} is {_cut(value)}"
        if kind == "unknown":
            yield f"{shown}: {RULES['why'].get(key, 'no key that edgekit knows in this place')}"
        elif kind == "form":
            yield f"{shown}: of another form than the engine's"
        elif kind in ("file", "folder") and value:
            why = paths.why_unsafe(value)
            inside = posixpath.join(folder, value)
            held = inside in there if kind == "file" else any(name.startswith(f"{inside}/") for name in there)
            if why or not held:
                yield f"{shown}: {why or f'the bundle has no such {kind}'}"
        elif kind == "value" and _names_a_path(key, value):
            yield f"{shown}: a path, which an engine would open"
        elif kind == "provider":
            yield from options(key, value, place)


def options(provider: str, given: Mapping[str, Any], where: str) -> Iterator[str]:
    """What is wrong with the options of an execution provider, by whatever name an engine takes it."""
    name = provider.casefold().removesuffix("executionprovider")
    if name not in RULES["providers"]:
        yield f"{where} is for the execution provider {_cut(provider)}, which edgekit does not know"
        return
    for key, value in given.items():
        shown = f"{where}.{key} is {_cut(value)}"
        if key == "device_filtering_options" and isinstance(value, dict):
            continue  # GenAI's own: kinds and numbers of devices
        if key not in RULES["providers"][name]:
            yield f"the option {shown}: {RULES['why'].get(key, f'none that edgekit knows of {name}')}"
        elif not isinstance(value, str | int | float):
            yield f"the option {shown}: of another form than the engine's"
        elif _names_a_path(key, value):
            yield f"the option {shown}: a path, which an engine would open"
        elif key in RULES["only"] and value not in RULES["only"][key]:
            yield f"the option {shown}: not one of {', '.join(RULES['only'][key])}"


def graph(stream: BinaryIO, path: str, sizes: Mapping[str, int], graphs: Collection[str] = ()) -> Iterator[str]:
    """What is wrong with the graph at `path`: no ONNX, or it names what is not in the bundle or too short.

    Args:
        sizes: bytes by path of the files that the bundle has.
        graphs: those of them that are graphs themselves, so no data of another.
    """
    if path.casefold().endswith(".ort"):
        yield "the engine would read it in ONNX Runtime's own format, which is not looked through"
        return
    try:
        with _mapped(stream) as data:
            named, has_settings = references(data)
    except ValueError as error:
        yield f"it is not an ONNX model: {error}"
        return
    if has_settings:
        yield "its metadata has an 'ort_config', by which the engine would take other settings"
    for reference in sorted(named):
        location, inside = reference.location, posixpath.join(posixpath.dirname(path), reference.location)
        if why := paths.why_unsafe(location):
            yield f"it names the file {_cut(location)}: {why}"
        elif inside not in sizes:
            yield f"it names {_cut(location)}, which is not in the bundle"
        elif inside in graphs or inside == path:
            yield f"it names {_cut(location)} as its data, which is a graph"
        elif sizes[inside] < reference.needs:
            yield f"it wants {reference.needs} bytes of {_cut(location)}, which has {sizes[inside]}"


def _walk(kind: str, place: str, key: str, value: Any) -> Iterator[tuple[str, str, str, Any]]:
    """(what it is, its place, its key, the value) for every value of a genai_config.json that could name a file."""
    if kind == "value":
        yield from _texts(place, key, value)
    elif kind in ("file", "folder"):
        yield (kind if isinstance(value, str) else "form"), place, key, value
    elif kind == "names":  # of tensors, which may have a slash
        if not isinstance(value, dict | list):
            yield "form", place, key, value
    elif kind == "providers" and not isinstance(value, list):
        yield "form", place, key, value
    elif kind in ("parts", "providers"):
        for at, member in _members(place, value):
            yield from _named(kind, at, key, member)
    elif not isinstance(value, dict):
        yield "form", place, key, value
    else:
        of_key = {one: inner for inner, keys in RULES[kind].items() for one in keys}
        for name, inner in value.items():
            at = f"{place}.{name}" if place else name
            if name in of_key:
                yield from _walk(of_key[name], at, name, inner)
            else:
                yield "unknown", at, name, inner


def _members(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The objects of a list; GenAI also takes one object for a list of one."""
    if isinstance(value, list):
        yield from ((f"{place}[{at}]", member) for at, member in enumerate(value))
    else:
        yield place, value


def _named(kind: str, place: str, key: str, member: Any) -> Iterator[tuple[str, str, str, Any]]:
    """What stands in one member of a list: objects by name, or of shared initializers the object itself."""
    if not isinstance(member, dict):
        yield "form", place, key, member
    elif kind == "providers":
        for name, given in member.items():
            yield ("provider" if isinstance(given, dict) else "form"), f"{place}.{name}", name, given
    elif all(isinstance(part, dict) for part in member.values()):
        for name, part in member.items():
            yield from _walk("part", f"{place}.{name}", name, part)
    else:
        yield from _walk("part", place, key, member)


def _texts(place: str, key: str, value: Any) -> Iterator[tuple[str, str, str, Any]]:
    """Every text in a value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(f"{place}.{name}", name, inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(place, key, inner)
    elif isinstance(value, str):
        yield "value", place, key, value


def _names_a_path(key: str, value: Any) -> bool:
    return isinstance(value, str) and key not in RULES["text"] and paths.is_path(value)


def _opened(document: Any, folder: str) -> set[str]:
    """The files that a genai_config.json makes the engine open as graphs."""
    return {
        posixpath.join(folder, value)
        for kind, _, key, value in _walk("root", "", "", document)
        if kind == "file" and key == "filename" and value
    }


def _document(raw: bytes, name: str) -> tuple[Any, str]:
    """The value of a JSON file, or why it cannot be read in one way."""
    is_config = name.casefold() == CONFIG
    try:
        value = strict.loads(raw, names=is_config, max_bytes=CONFIG_BYTES if is_config else strict.MAX_BYTES)
    except ValueError as error:
        return None, f"it is no JSON that every engine reads alike: {error}"
    return value, "" if isinstance(value, dict) else "it is no JSON object"


def _misspelled(path: str) -> str:
    name = posixpath.basename(path)
    folded = name.casefold()
    return f"Windows and macOS would open it as {folded!r}" if folded in _KNOWN and name != folded else ""


def _mapped(stream: BinaryIO) -> memoryview:
    """The bytes of a graph: mapped where it is a file, else read, as many as protobuf takes."""
    try:
        size = os.fstat(stream.fileno()).st_size
        if 0 < size <= MAX_GRAPH:
            return memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, AttributeError, ValueError):
        pass
    data = bytearray()
    while len(data) <= MAX_GRAPH and (chunk := stream.read(1 << 20)):
        data += chunk
    if len(data) > MAX_GRAPH:
        raise ValueError("it is larger than protobuf's messages can be")
    return memoryview(data)


def _entries(folder: Path, home: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Everything in a variant's folder but real folders, by path below the bundle."""
    waiting = [home]
    while waiting:
        at = waiting.pop()
        with os.scandir(folder / at) as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{at}/{entry.name}")
                else:
                    yield f"{at}/{entry.name}", entry


def _cut(value: Any) -> str:
    return ascii(value)[:82]
