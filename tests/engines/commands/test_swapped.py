"""A bundle whose file is swapped between verifying and opening, put back or not: exit 6, and nothing is shown."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from edgekit import commands
from edgekit.bundle import verify

pytestmark = pytest.mark.runtimes


@pytest.mark.parametrize("back", [False, True], ids=["swapped", "swapped and put back"])
@pytest.mark.parametrize("kind", ["llm", "tensor"])
def test_a_bundle_that_was_swapped_after_it_was_verified_shows_nothing(
    kind: str,
    back: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    bundle = shutil.copytree(request.getfixturevalue(f"{kind}_bundle"), tmp_path / "bundle")
    changed = max(
        (path for path in (bundle / "model").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size
    )
    verified = verify.verified

    def swapping(*words: object, **options: object) -> object:
        manifest = verified(*words, **options)  # type: ignore[arg-type]
        theirs = shutil.copyfile(changed, tmp_path / "theirs")
        if back:
            changed.rename(tmp_path / "mine")
            theirs.rename(changed)
            (tmp_path / "mine").replace(changed)
        else:
            theirs.replace(changed)
        return manifest

    monkeypatch.setattr(verify, "verified", swapping)
    # the small net's manifest says nothing of how its input is made
    monkeypatch.setattr("edgekit.inputs.given.feeds", lambda *words: [{"x": np.zeros((1, 3, 8, 8), np.float32)}])
    asked = ["Hello"] if kind == "llm" else ["--input", "x.npy", "-o", str(tmp_path / "y.npz")]
    assert commands.main(["run", str(bundle), *asked]) == 6
    shown = capfd.readouterr()
    assert shown.out == "" and "error: the bundle bundle changed" in shown.err, shown.err
    assert not (tmp_path / "y.npz").exists()
