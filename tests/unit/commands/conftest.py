"""A command of the tests' own."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from edgekit import commands
from tests.unit.bundle.conftest import made_of, sealed

__all__ = ["made_of", "plugged", "sealed"]


@pytest.fixture
def plugged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """plugged("body") adds the command `probe`, whose body is given, to the command line."""

    names = commands.names

    def add(body: str) -> Path:
        lines = "\n".join(f"    {line}" for line in body.splitlines())
        (tmp_path / "probe.py").write_text(
            '"""A command of the tests."""\nimport os, sys, time\nimport click\nfrom edgekit import console, errors\n'
            f'@click.command()\ndef command():\n    """A command of the tests."""\n{lines}\n'
        )
        monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])
        monkeypatch.setattr(commands, "names", lambda: [*names(), "probe"])
        monkeypatch.delitem(sys.modules, "edgekit.commands.probe", raising=False)
        importlib.invalidate_caches()
        return tmp_path

    yield add
    sys.modules.pop("edgekit.commands.probe", None)
