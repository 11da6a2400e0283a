"""A child's own account: what it used beyond its key is noticed, however it came to it, and its work is not kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit import cache, engines, holdings, tools
from edgekit.code import Basis
from edgekit.errors import BuildError
from tests.engines.strange_child import WAYS

pytestmark = pytest.mark.runtimes

BASIS = Basis(("edgekit.used", "edgekit.registry"), engines=("numpy",))
KEY = {"n": 1}
STRANGE = {way: "recipes/data/calibration.txt" if way.startswith("data") else "inputs/sounds.py" for way in WAYS}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def produce(way: str) -> cache.Entry:
    def make(folder: Path) -> dict[str, Any]:
        command = tools.module("tests.engines.strange_child")
        used: dict[str, Any] = tools.job(command, {"way": way}, folder, timeout=60, what="the child")["used"]
        return used

    return cache.produce("optimize", KEY, make, what="a model", basis=BASIS)


@pytest.mark.parametrize("way", [way for way in WAYS if way not in ("nothing", "a package")])
def test_it_fails_on_ci(way: str, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(BuildError, match=f"its child used .*{STRANGE[way]}"):
        produce(way)
    assert holdings.entries() == []


def test_elsewhere_it_is_taken_once_and_never_served(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CI", raising=False)
    assert not produce("by a string").hit
    assert "inputs/sounds.py, which its key does not cover: the result is not kept" in capsys.readouterr().err
    assert produce("nothing").hit  # the build that made it goes on with it
    cache._made_here.clear()  # as in the next process
    assert cache.lookup("optimize", KEY) is None
    assert not produce("nothing").hit


def test_a_child_that_keeps_to_its_key_is_kept_with_what_it_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    produce("nothing")
    cache._made_here.clear()
    assert produce("nothing").hit


def test_another_build_of_a_package_that_a_child_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same version, with another RECORD; it stands in no key, as the stage did not declare it."""
    monkeypatch.setenv("CI", "true")
    produce("a package")
    assert cache.lookup("optimize", KEY) is not None
    real = engines._installed
    monkeypatch.setattr(engines, "_installed", lambda name: ("1", "other") if name == "packaging" else real(name))
    assert not produce("a package").hit
    assert produce("a package").hit
