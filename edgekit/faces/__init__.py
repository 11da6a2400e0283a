"""The faces of the runtime: what a bundle carries for the app that embeds it, a file here for each language.

A target names its face. Below runtime/ a bundle has that face's sources, and the core's where it stands on that, byte
for byte as this edgekit has them, and two texts that the manifest alone decides: README.md, and a program in hello/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit import registry
from edgekit.contract.manifest import Draft
from edgekit.faces import _readme

README = "README.md"


@dataclass(frozen=True)
class Face:
    """A face: FACE of its file here.

    Attributes:
        language: its name, for people.
        suffix: of a program's file, which is also what Markdown calls the language.
        folders: where our sources are, by where they lie below runtime/.
        shape: a regular expression of the paths below runtime/ that the sources of any edgekit version have.
        hello: KIND.SUFFIX.txt, a program that embeds a bundle of this kind, and OS.md, how it is built there.
    """

    language: str
    suffix: str
    folders: Mapping[str, Path]
    shape: str
    hello: Path

    def files(self) -> dict[str, Path]:
        """Our own files, by their path below runtime/."""
        ours = {}
        for folder, origin in sorted(self.folders.items()):
            for path in sorted(origin.rglob("*")):
                inside = f"{folder}/{path.relative_to(origin).as_posix()}"
                if path.is_file() and re.fullmatch(self.shape, inside):
                    ours[inside] = path
        return ours

    def has(self, inside: str) -> bool:
        """Whether a file of this face may lie there, below runtime/, in a bundle of any version."""
        return bool(re.fullmatch(rf"{self.shape}|{re.escape(README)}|hello/[a-z_]+\.{self.suffix}", inside))

    def staged(self, known: Draft) -> dict[str, Path | str]:
        """All that a bundle has below runtime/, by path: our files, and the texts that its manifest alone decides."""
        program = _readme.program(known, self.hello, self.suffix)
        texts: dict[str, Path | str] = {f"hello/{known.contract.kind}.{self.suffix}": program} if program else {}
        return {**self.files(), **texts, README: _readme.text(known, self.hello, self.language, self.suffix, program)}


def names() -> list[str]:
    """The names of the faces, sorted."""
    return registry.members("edgekit.faces")


def find(name: str) -> Face | None:
    """The face of this name, which a stranger's manifest may have given; None where there is none."""
    if name not in names():
        return None
    face: Face = registry.member("edgekit.faces", name).FACE
    return face


def staged(known: Draft) -> dict[str, Path | str]:
    """What the bundle of this draft or manifest has below runtime/; nothing where its face is of no file here."""
    face = find(known.target.face)
    return face.staged(known) if face else {}
