"""An EP context: a small ONNX graph whose EPContext nodes name binaries that were compiled for one chip.

What a context is for is read from the binaries themselves, never from what a build or a manifest says of them: on the
emulator, and on some phones, a context of another chip loads and runs, slowly or wrongly.
"""

from __future__ import annotations

import mmap
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from edgekit.errors import BundleError
from edgekit.kinds.variant import Compatibility

OPERATOR = "EPContext"  # of the domain com.microsoft
# Qualcomm's compiler writes its version, and its options with the chip among them, as plain text into each binary.
_CHIP = re.compile(rb"soc_type=([A-Za-z0-9_-]+);arch=(\d+);")
_QAIRT = re.compile(rb"v(\d+\.\d+\.\d+)\.\d{6,}")
AGAIN = "build the bundle again"
Fact = TypeVar("Fact")


@dataclass(frozen=True)
class Context:
    """What one or several context graphs and their binaries hold.

    Attributes:
        soc: the chip, as Qualcomm's compiler and Android's ro.soc.model name it ("SM8650").
        htp_arch: the Hexagon version ("75").
        qairt: the Qualcomm runtime it was compiled with ("2.50.40").
        contexts: EPContext nodes.
        others: the nodes beside them, which the provider leaves to the CPU, counted by operator.
        binaries: file names, sorted.
    """

    soc: str
    htp_arch: str
    qairt: str
    contexts: int
    others: dict[str, int]
    binaries: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        """As a manifest says it."""
        return {
            "soc": self.soc,
            "htp_arch": self.htp_arch,
            "qairt": self.qairt,
            "contexts": self.contexts,
            "nodes_beside": self.others,
            "binaries": list(self.binaries),
        }


def has_context(graph: Path) -> bool:
    """True where an ONNX file holds an EPContext node."""
    return any(node.op_type == OPERATOR for node in _nodes(graph))


def read(graphs: Iterable[Path]) -> Context:
    """What the context graphs of one folder hold, and the binaries they name.

    Raises:
        BundleError: no context, a binary that is missing, empty, outside the folder or of another compiler, or two
            that are not for one chip and one runtime.
    """
    contexts, others = 0, Counter[str]()
    binaries: dict[str, Path] = {}
    said: set[bytes] = set()
    for graph in graphs:
        for node in _nodes(graph):
            if node.op_type != OPERATOR:
                others[node.op_type] += 1
                continue
            contexts += 1
            attributes = {one.name: one for one in node.attribute}
            if "ep_sdk_version" in attributes:
                said.add(attributes["ep_sdk_version"].s)
            if "ep_cache_context" in attributes:  # a second graph in a binary has none, its first has
                path = _binary(graph, attributes)
                binaries[path.name] = path
    if not binaries:
        raise BundleError("the graph holds no compiled context", next=AGAIN)
    chips, versions = set(), {found[1] for text in said if (found := _QAIRT.match(text))}
    for path in binaries.values():
        chip, version = _inside(path)
        chips |= chip
        versions |= version
    soc, arch = _one(chips, "chip (soc)")
    return Context(
        soc=soc.decode(),
        htp_arch=arch.decode(),
        qairt=_one(versions, "Qualcomm runtime (qairt)").decode(),
        contexts=contexts,
        others=dict(sorted(others.items())),
        binaries=tuple(sorted(binaries)),
    )


def refuse(context: Context, claimed: Compatibility) -> None:
    """Compare a context with the axes that a variant, or a device, claims for it.

    Raises:
        BundleError: they differ; the axis (soc, htp_arch, qairt) is named.
    """
    if claimed.soc and context.soc not in claimed.soc:
        raise _differs("soc", f"for {context.soc}", " or ".join(claimed.soc))
    if claimed.htp_arch is not None and context.htp_arch != claimed.htp_arch:
        raise _differs("htp_arch", f"for HTP v{context.htp_arch}", f"v{claimed.htp_arch}")
    if claimed.qairt is not None and context.qairt != claimed.qairt:
        raise _differs("qairt", f"with QAIRT {context.qairt}", claimed.qairt)


def newer(version: str, than: str) -> bool:
    """True where a QAIRT version is newer than another; they are compared number by number."""
    return _numbers(version) > _numbers(than)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _differs(axis: str, compiled: str, wanted: str) -> BundleError:
    return BundleError(f"axis {axis}: the context was compiled {compiled}, not {wanted}", next=AGAIN)


def _nodes(graph: Path) -> list[Any]:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return list(onnx.load(str(graph), load_external_data=False).graph.node)
    except (OSError, DecodeError) as error:
        raise BundleError(f"{graph.name} cannot be read: {error}", next=AGAIN) from None


def _binary(graph: Path, attributes: dict[str, Any]) -> Path:
    """The binary that an EPContext node names: a file beside the graph, never one elsewhere."""
    if "embed_mode" in attributes and attributes["embed_mode"].i != 0:
        raise BundleError(f"{graph.name} holds its context inside, edgekit keeps them in files", next=AGAIN)
    name = attributes["ep_cache_context"].s.decode(errors="replace")
    path: Path = graph.parent / name
    if PurePosixPath(name).name != name or path.is_symlink() or not name:
        raise BundleError(f"{graph.name} names a context outside its folder: {name[:100]!r}", next=AGAIN)
    if not path.is_file() or path.stat().st_size == 0:
        raise BundleError(f"{graph.name} names the context {name}, which is missing or empty", next=AGAIN)
    return path


def _inside(path: Path) -> tuple[set[tuple[bytes, bytes]], set[bytes]]:
    """The chips and the QAIRT versions that are written in a binary."""
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        chips = {(found[1], found[2]) for found in _CHIP.finditer(data)}
        versions = {found[1] for found in _QAIRT.finditer(data)}
    if not chips or not versions:
        raise BundleError(f"{path.name} is no context of Qualcomm's HTP compiler", next=AGAIN)
    return chips, versions


def _one(found: set[Fact], what: str) -> Fact:
    if len(found) != 1:
        raise BundleError(f"the contexts are not for one {what}: {sorted(map(str, found))}", next=AGAIN)
    return next(iter(found))
