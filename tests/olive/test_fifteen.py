"""Three models for five targets: from an empty cache, again, after one picture changed, and from nothing again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.olive import fifteen

pytestmark = pytest.mark.nightly

NAMES = {f"{model}/{target}" for model in ("lines", "first", "second") for target in fifteen.TARGETS}


def build(home: Path, cache: str, what: str) -> dict[str, Any]:
    """The bundles of `edgekit build`; says how long it took."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "edgekit", "build", "-q", "--json"],
        cwd=home,
        env=os.environ | {"EDGEKIT_CACHE": str(home.parent / cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    bundles: dict[str, Any] = json.loads(done.stdout)["data"]["bundles"]
    built = [name for name, bundle in bundles.items() if not bundle["unchanged"]]
    print(f"{what}: {time.monotonic() - began:.1f} s, {len(built)} of {len(bundles)} built")
    return bundles


def hashes(bundles: dict[str, Any]) -> dict[str, str]:
    return {name: bundle["sha256"] for name, bundle in bundles.items()}


def test_three_models_for_five_targets(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    fifteen.write(home)
    first = build(home, "cache", "from an empty cache")
    assert set(first) == NAMES and not any(bundle["unchanged"] for bundle in first.values())
    lock = (home / "edgekit.lock").read_bytes()

    again = build(home, "cache", "again")
    assert all(bundle["unchanged"] for bundle in again.values()) and hashes(again) == hashes(first)

    picture = home / "lines" / "03.png"
    before = picture.read_bytes()
    fifteen.draw(picture, "another line", 3)
    changed = build(home, "cache", "one picture changed")
    built = {name for name, bundle in changed.items() if not bundle["unchanged"]}
    assert built == {name for name in NAMES if name.startswith("lines/")}
    other = {name for name in NAMES if hashes(changed)[name] != hashes(first)[name]}
    assert "lines/linux-cpu" in other and other <= built, "float16 is judged by the pictures, and not made of them"

    picture.write_bytes(before)
    back = build(home, "cache", "the picture as it was")
    assert hashes(back) == hashes(first) and (home / "edgekit.lock").read_bytes() == lock

    for path in (home / "out").rglob("*"):
        path.chmod(0o755)
    shutil.rmtree(home / "out")
    anew = build(home, "other-cache", "from another empty cache")
    assert hashes(anew) == hashes(first)
