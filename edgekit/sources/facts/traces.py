"""What a graph tells of who made it and where: stack traces, doc strings, paths, people; none of it is computed with.

torch notes the file and line of every operator, other exporters their user's folders. A graph's own key-value pairs may
be read by an app (characters, names of classes, strides), so these stay unless they name a person or a place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekit.data import file_digest
from edgekit.sources.facts.onnx_graph import bodies, external_files, parse

# A folder of a machine, up to its last separator; torch's own names ("/layers.0/conv/Conv") look like one and are none.
FOLDERS = "home|Users|mnt|tmp|private|srv|media|Volumes|workspaces?"
PATH = re.compile(rf"(?<![\w.:/\\-])(?:[A-Za-z]:)?[/\\](?:{FOLDERS})(?:[/\\][^/\\\s\"':]+)*[/\\]")
DRIVE = re.compile(r"(?<!\w)[A-Za-z]:\\\w")
PEOPLE = {"author", "authors", "user", "username", "email", "host", "hostname", "machine"}
ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.\w")
TOOLS = ("onnx.", "olive_")  # keys that the quantizer writes
COMPILED = "EPContext"
NOTES = ("doc_string", "metadata_props")


def settle(built: Path, own: Path, *, keep: bool) -> list[str]:
    """What was taken out of the built graphs of a folder, and what stays; a changed one is written into `own`.

    Args:
        own: a folder where some of these graphs lie already, changed for another reason.
    """
    graphs = [own / path.name if (own / path.name).is_file() else path for path in sorted(built.glob("*.onnx"))]
    return [line for graph in graphs for line in written(graph, own, keep=keep)]


def written(graph: Path, folder: Path, *, keep: bool = False) -> tuple[str, ...]:
    """Write a graph without its traces into another folder; nothing where it has none, or the user keeps them.

    Returns: what was taken out and what stays, a line each; empty where there is neither.

    Raises:
        SourceError: it is no ONNX model.
    """
    proto = parse(graph)
    if any(node.op_type == COMPILED for node in proto.graph.node):
        return ()  # of a compiler's own making, which may read what it wrote
    before = proto.ByteSize()
    gone = strip(proto)
    kept = sorted(str(pair.key) for pair in proto.metadata_props if not pair.key.startswith(TOOLS))
    kept += [name for body in bodies(proto) for name in _values(body) if PATH.search(name)]
    stays = (f"{graph.name} keeps its metadata: {_listed(kept)}",) if kept else ()
    if not gone:
        return stays
    if keep:
        return (f"{graph.name} keeps, as asked for: {'; '.join(gone)}", *stays)
    size = before - proto.ByteSize()
    (folder / graph.name).write_bytes(proto.SerializeToString(deterministic=True))
    return (f"taken out of {graph.name}: {'; '.join(gone)} ({size:,} bytes; --keep-metadata keeps them)", *stays)


def unlike(graph: Path, other: Path) -> list[str]:
    """The files of a graph that are not those of another one, traces aside; empty where both are the same model."""
    weights = sorted({*external_files(graph), *external_files(other)})
    graphs = [] if _plain(graph) == _plain(other) else [graph.name]
    return graphs + [name for name in weights if _digest(graph, name) != _digest(other, name)]


def _plain(graph: Path) -> bytes:
    proto = parse(graph)
    strip(proto)
    text: bytes = proto.SerializeToString(deterministic=True)
    return text


def _digest(graph: Path, name: str) -> str:
    path = graph.parent / name
    return file_digest(path) if path.is_file() else ""


def strip(proto: Any) -> list[str]:
    """Take the traces out of a model, in place: what they were, in words."""
    gone = []
    notes = sum(_cleared(each, name) for each in _noted(proto) for name in NOTES) + _cleared(proto, "doc_string")
    if notes:
        gone.append(f"{notes} notes of its exporter (stack traces, doc strings)")
    if keys := [str(pair.key) for pair in proto.metadata_props if _tells(pair)]:
        stay = [pair for pair in proto.metadata_props if not _tells(pair)]
        del proto.metadata_props[:]
        proto.metadata_props.extend(stay)
        gone.append(f"metadata {_listed(keys)}")
    if renamed := _renamed(proto):
        gone.append(f"folders in {renamed} names")
    return gone


def _noted(proto: Any) -> Iterator[Any]:
    """Everything below the model that an exporter can write a note on."""
    for body in bodies(proto):
        yield body
        yield from body.node
        yield from (attribute for node in body.node for attribute in node.attribute)
        yield from body.value_info
        for part in ("input", "output", "initializer"):
            yield from (each for each in getattr(body, part, ()) if not isinstance(each, str))


def _cleared(message: Any, name: str) -> bool:
    if name not in message.DESCRIPTOR.fields_by_name or not getattr(message, name):
        return False
    message.ClearField(name)
    return True


def _tells(pair: Any) -> bool:
    """Whether a key-value pair of a model names a person, a machine or a place on it."""
    own = pair.key.lower() in PEOPLE or pair.key.startswith("pkg.")
    return own or any(sign.search(pair.value) for sign in (PATH, DRIVE, ADDRESS))


def _values(body: Any) -> set[str]:
    """The names of the values of one graph or function."""
    named = {name for node in body.node for name in (*node.input, *node.output)}
    return named | {str(getattr(each, "name", each)) for part in ("input", "output") for each in getattr(body, part)}


def _renamed(proto: Any) -> int:
    """Take folders out of the names of nodes and values, where no two become the same; the model's own ends stay."""
    every = list(bodies(proto))
    names = {name for body in every for name in _values(body)}
    ends = {each.name for each in (*proto.graph.input, *proto.graph.output)}
    new: dict[str, str] = {}
    for name in sorted(names - ends):
        short = PATH.sub("", name)
        if short != name and short and short not in names | set(new.values()):
            new[name] = short
    count = len(new)
    for body in every:
        for node in body.node:
            short = PATH.sub("", node.name)
            count += short != node.name
            node.name = short
            for side in (node.input, node.output) if new else ():
                side[:] = [new.get(name, name) for name in side]
        _rename_held(body, new)
    return count


def _rename_held(body: Any, new: dict[str, str]) -> None:
    """The same names where they do not stand on a node."""
    for part in ("input", "output", "value_info", "initializer"):
        for each in getattr(body, part, ()) if new else ():
            if not isinstance(each, str):
                each.name = new.get(each.name, each.name)
    for each in getattr(body, "sparse_initializer", ()) if new else ():
        each.values.name = new.get(each.values.name, each.values.name)
    for each in getattr(body, "quantization_annotation", ()) if new else ():
        each.tensor_name = new.get(each.tensor_name, each.tensor_name)
        for pair in each.quant_parameter_tensor_names:
            pair.value = new.get(pair.value, pair.value)


def _listed(names: list[str]) -> str:
    shown = ", ".join(name[:60] for name in names[:8])
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")
