"""A copy of edgekit in a temporary folder to which a test adds files, and CONTRIBUTING.md's own files to be added."""

from __future__ import annotations

import importlib
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from edgekit import files, registry

ROOT = Path(__file__).parents[1]


def block(heading: str, language: str = "python") -> str:
    """The code of this language in CONTRIBUTING.md's section of this heading."""
    sections = re.split(r"^## ", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    section = next(section for section in sections if section.startswith(heading))
    (code,) = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    return str(code)


def copied(folder: Path) -> Path:
    """edgekit below a folder, with the targets in it as in a wheel: the package's own folder."""
    bare = shutil.ignore_patterns("__pycache__", "cpp")
    package = shutil.copytree(ROOT / "edgekit", folder / "edgekit", ignore=bare)
    shutil.copytree(ROOT / "targets", package / "targets", ignore=bare)
    return Path(package)


class Added:
    """A copy of edgekit, whose members and data files this process finds beside its own modules.

    The modules that it has loaded stay; what is looked for by name, and all data, is the copy's.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.package, self._monkeypatch = copied(folder), monkeypatch
        monkeypatch.setattr(files, "PACKAGE", self.package)
        monkeypatch.setattr(registry, "PACKAGE", self.package)

    def file(self, path: str, text: str) -> Path:
        """A file of data at a path below edgekit/ that nothing has yet."""
        place = self.package / path
        assert not place.exists()
        place.write_text(text, encoding="utf-8")
        return place

    def member(self, family: str, name: str, text: str) -> ModuleType:
        """A module of a family ("edgekit.meters")."""
        place = self.file(f"{family.removeprefix('edgekit.').replace('.', '/')}/{name}.py", text)
        package = importlib.import_module(family)
        self._monkeypatch.setattr(package, "__path__", [*package.__path__, str(place.parent)])
        self._monkeypatch.setattr(package, name, None, raising=False)  # taken away again, as is the module
        self._monkeypatch.setitem(sys.modules, f"{family}.{name}", ModuleType(name))
        del sys.modules[f"{family}.{name}"]
        return registry.member(family, name)
