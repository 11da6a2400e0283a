"""Five targets in one `edgekit build` against five builds with a cache each. The aim: at most 0.4 of the time.

What targets have in common is done once: starting Python and its engines, opening and importing the model, quantizing
that several ask for, the float reference that the gates compare with. A cache starts with the downloads alone.

    python benchmarks/targets.py [ROUNDS [MODEL ...]]        1, of a net (ppocrv4-cls) and of a language model (SmolLM2)
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from _common import EDGEKIT, alternate, pictures, report, wall_seconds

from edgekit import cache, sources

AIM = 0.4
TARGETS = {
    "tensor": ("linux-cpu", "windows-directml", "android-nnapi", "android-qnn", "ios-coreml"),
    "llm": ("linux-cpu", "windows-cpu", "android-cpu", "ios-cpu", "macos-cpu"),  # an NPU's compiler takes minutes
}
MODELS = ("ppocrv4-cls", "smollm2-135m-instruct")


def build(model: str, targets: tuple[str, ...], *words: str) -> float:
    """Seconds of one command with a fresh cache."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        downloads = cache.root() / "downloads"
        if downloads.is_dir():
            shutil.copytree(downloads, folder / "cache" / "downloads", copy_function=os.link)
        command = [*EDGEKIT, "build", model, "-o", str(folder / "out"), "--quality", "fast", *words]
        command += [word for one in targets for word in ("--target", one)]
        seconds = wall_seconds(command, EDGEKIT_CACHE=str(folder / "cache"))
        made = sorted(path.parent.name for path in folder.glob("out/*/edgekit.json"))
        if len(made) != len(targets):
            raise RuntimeError(f"only {made} of {targets}")
        return seconds


def compared(model: str, rounds: int, data: Path) -> None:
    """One command against five."""
    kind = sources.open_source(model).model.kind
    targets, words = TARGETS[kind], ("--calibration", str(data)) if kind == "tensor" else ()
    samples = alternate(
        rounds,
        together=lambda: build(model, targets, *words),
        apart=lambda: sum(build(model, (one,), *words) for one in targets),
    )
    ratio = statistics.median(samples["together"]) / statistics.median(samples["apart"])
    facts = {"model": model, "targets": targets, "ratio": round(ratio, 3), "aim": AIM, "reached": ratio <= AIM}
    report(f"targets of {model}", samples, **facts)


with tempfile.TemporaryDirectory(dir=cache.root()) as calibration:
    lines = pictures(Path(calibration) / "lines")
    for name in sys.argv[2:] or MODELS:
        compared(name, int(sys.argv[1]) if len(sys.argv) > 1 else 1, lines)
