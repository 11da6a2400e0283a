"""Modules that are found by name: the files of a package (recipes, gates, providers ...), and those that data names.

Nothing else imports by name. A package is written out where its members are asked for, so that whoever reads the code
(edgekit.code too) sees which modules can be meant.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from pathlib import Path
from types import ModuleType

from edgekit.files import PACKAGE


def members(package: str) -> list[str]:
    """The modules of a package ("edgekit.recipes") by their own names, sorted; not those that begin with "_"."""
    return listed(package)


def listed(package: str) -> list[str]:
    """The same names, for who only has to know them: no result depends on what these modules do (edgekit.code)."""
    folder = PACKAGE.parent.joinpath(*package.split("."))
    return sorted(info.name for info in pkgutil.iter_modules([str(folder)]) if not info.name.startswith("_"))


def member(package: str, name: str) -> ModuleType:
    """One of a package's members."""
    return importlib.import_module(f"{package}.{name}")


def named(module: str) -> ModuleType:
    """A module that data names: a job in a request, the plugin of a provider."""
    return importlib.import_module(module)


def from_file(path: Path, name: str) -> ModuleType | None:
    """The module of a user's own .py file, under a name that nothing else has; None where it cannot be one."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
