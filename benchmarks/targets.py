"""Five targets in one `edgekit build` against five builds with a cache each. The aim: at most 0.8 of the time.

What targets have in common is done once: starting Python and its engines, opening and importing the model, quantizing
that several ask for, the float reference that the gates compare with. A cache starts with the downloads alone.

    python benchmarks/targets.py [MODEL [ROUNDS]]        ppocrv4-cls and 2; a language model takes long
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from _common import EDGEKIT, alternate, report, wall_seconds

from edgekit import cache, sources
from edgekit.inputs import drawings, synthetic

AIM = 0.8
TARGETS = ("linux-cpu", "windows-directml", "android-nnapi", "android-qnn", "ios-coreml")
PICTURES = 48


def pictures(folder: Path) -> Path:
    """Lines of text as they come, every other one upside down."""
    folder.mkdir()
    words = [line for line in synthetic.sentences() if line.isascii()]
    for at in range(PICTURES):
        text = words[at * 11 % len(words)][: 12 + at % 20].strip()
        drawings.line(text, 5000 + at, 48, 192).rotate(180 * (at % 2)).save(folder / f"{at:02}.png")
    return folder


def build(targets: tuple[str, ...]) -> float:
    """Seconds of one command with a fresh cache."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        downloads = cache.root() / "downloads"
        if downloads.is_dir():
            shutil.copytree(downloads, folder / "cache" / "downloads", copy_function=os.link)
        command = [*EDGEKIT, "build", MODEL, "-o", str(folder / "out"), "--quality", "fast", *DATA]
        command += [word for one in targets for word in ("--target", one)]
        seconds = wall_seconds(command, EDGEKIT_CACHE=str(folder / "cache"))
        made = sorted(path.parent.name for path in folder.glob("out/*/edgekit.json"))
        if len(made) != len(targets):
            raise RuntimeError(f"only {made} of {targets}")
        return seconds


with tempfile.TemporaryDirectory(dir=cache.root()) as calibration:
    MODEL = sys.argv[1] if len(sys.argv) > 1 else "ppocrv4-cls"
    ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    kind = sources.open_source(MODEL).model.kind
    DATA = ["--calibration", str(pictures(Path(calibration) / "lines"))] if kind == "tensor" else []
    samples = alternate(
        ROUNDS,
        together=lambda: build(TARGETS),
        apart=lambda: sum(build((one,)) for one in TARGETS),
    )
ratio = statistics.median(samples["together"]) / statistics.median(samples["apart"])
report("targets", samples, model=MODEL, targets=TARGETS, ratio=round(ratio, 3), aim=AIM, reached=ratio <= AIM)
