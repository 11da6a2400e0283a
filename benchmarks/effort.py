"""What each recipe that an effort may choose takes and gives, of SmolLM2 off every grid (benchmarks/quality).

Writes edgekit/predict/effort.toml, by which plans estimate time and memory of another model. Seconds are a build's
without its gate: of the clock, or of all its processes' CPU time where that is less, for beside other work the clock
runs on; either is at most what a quiet machine takes, and the file says whether it was quiet.

    python benchmarks/effort.py [--only LABEL ...]    the others' figures stay as they are in the file
"""

from __future__ import annotations

import argparse
import datetime
import os
import resource
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

from _common import QUIET, ROOT, others

sys.path.insert(0, str(Path(__file__).parent / "quality"))

FILE = ROOT / "edgekit/predict/effort.toml"
# The quickest first; each is closer to the source than the one before.
CANDIDATES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("int4_mixed", {}),
    ("int4_gptq_mixed", {"samples": 12}),
    ("int4_gptq_mixed", {"samples": 64}),
)


def label(recipe: str, settings: dict[str, Any]) -> str:
    """As "int4_gptq_mixed samples=12"."""
    return " ".join([recipe, *(f"{name}={value}" for name, value in settings.items())])


def main() -> None:
    import run

    from edgekit import cache, console, recipes

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*")
    only = parser.parse_args().only
    console.configure(verbose=True)
    source = run.rotated()
    reference = run.said(source)
    known = tomllib.loads(FILE.read_text(encoding="utf-8"))["candidate"] if FILE.is_file() else []
    rows = []
    for recipe, settings in CANDIDATES:
        name = label(recipe, settings)
        if only is not None and name not in only:
            rows += [row for row in known if label(row["recipe"], row["settings"]) == name]
            continue
        run.RECIPES[name] = (recipe, settings)
        began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        with cache.session(refresh=True):
            run.quantized(name, source)
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        figures = run.edgekit_row(name, source, reference)
        rows.append(
            {
                "recipe": recipe,
                "settings": settings,
                "calibrated": recipes.load(recipe).calibrated,
                "seconds": round(min(wall, cpu), 1),
                "memory": after.ru_maxrss * 1024,
                "kl": round(figures["kl_mean"], 4),
                "mb": round(figures["mb"], 1),
            }
        )
        print(name, f"{wall:.0f} s of the clock, {cpu:.0f} s of CPU", rows[-1])
    write(rows, source.model.parameters)


def write(rows: list[dict[str, Any]], parameters: int) -> None:
    """effort.toml."""
    import run

    processor = run._processor().partition(" (")[0]
    lines = [
        "# Written by benchmarks/effort.py.",
        'model = "smollm2-135m-instruct, rotated"',
        f"parameters = {parameters}",
        f'machine = "{os.cpu_count()} cores of {processor}"',
        f"cores = {os.cpu_count()}",
        f"quiet = {str(others() <= QUIET).lower()}",
        f'date = "{datetime.date.today().isoformat()}"',
    ]
    for row in rows:
        settings = ", ".join(f"{name} = {value}" for name, value in row["settings"].items())
        plain = [f"{key} = {_toml(value)}" for key, value in row.items() if key != "settings"]
        lines += ["", "[[candidate]]", *plain, f"settings = {{ {settings} }}" if settings else "settings = {}"]
    FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)


if __name__ == "__main__":
    main()
