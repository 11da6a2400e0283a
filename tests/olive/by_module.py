"""Build models by Olive as it is and by module, each in a process of its own; Olive is imported once.

python by_module.py OUT CASE=SOURCE:RECIPE...

Leaves OUT/CASE/optimize/.NAME.PART/model of the parts olive and ours, and for the cases of AT of resumed: of a build
that died by SIGKILL while a module was written, and was begun again. Prints, by case and part, how each ended and how
many modules it wrote.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekit import plan, sources, target
from edgekit.inputs.llm_texts import open_text
from edgekit.jobs.olive import builder, checkpoint, run, surgeries
from edgekit.plan import Plan
from edgekit.recipes import _olive

AT = {"tied": 5, "calibrated": 10}  # the module that a killed build does not finish, of these cases
NAMES = {"killed": "same", "resumed": "same"}  # of the cache's entry, as edgekit.cache names what is being made
TEXT = Path(__file__).parents[2] / "edgekit" / "recipes" / "data" / "calibration.txt"


def build(made: Plan, source: Path, work: Path) -> None:
    """A plan's model in work/model."""
    work.mkdir(parents=True)
    (work / "texts").mkdir()
    open_text(TEXT).write_feeds(work / "texts")
    request = {
        "config": made.optimize_step(made.main).config,
        "source": str(source),
        "work": str(work),
        "calibration": str(work / "texts"),
        "expected": list(made.expected_files),
    }
    run.optimize(request, lambda event, **data: None)


def apart(do: Callable[[], None], told: Path, die: int = 0) -> dict[str, Any]:
    """In a forked process: how it ended, and how many modules it wrote whole."""
    child = os.fork()
    if child == 0:
        count(told, die)
        try:
            do()
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {"ended": ended, "written": len(told.read_text().splitlines()) if told.is_file() else 0}


def count(told: Path, die: int) -> None:
    """Note every module that is written; at module number `die` the process dies, and leaves half a file."""
    write = checkpoint._write

    def noted(path: Path, tensors: dict[str, Any], settings: str = "") -> None:
        if path.name == checkpoint.HIDDEN:
            write(path, tensors, settings)
            return
        before = len(told.read_text().splitlines()) if told.is_file() else 0
        if before + 1 == die:
            path.with_suffix(".new").write_bytes(b"half of it")
            os.kill(os.getpid(), signal.SIGKILL)
        write(path, tensors, settings)
        with told.open("a") as stream:
            stream.write(f"{path.name}\n")

    checkpoint._write = noted


def as_it_is() -> None:
    """Leave Olive alone in this process."""
    checkpoint.install = lambda folder: None
    builder.install = surgeries.install = lambda: None


def main(out: Path, cases: list[str]) -> None:
    """Each case by both, the first killed too."""
    import olive.workflows  # noqa: F401

    checkpoint.PIECE = 1000  # many pieces, of tiny matrices too
    _olive.SAMPLE_TOKENS = 32  # calibration is not what is looked at
    told: dict[str, dict[str, Any]] = {}
    for case in cases:
        name, _, what = case.partition("=")
        folder, _, recipe = what.rpartition(":")
        opened = sources.open_source(folder)
        made, home = plan.make(opened.model, target.load("linux-cpu"), recipe=recipe), out / name
        home.mkdir(parents=True)

        def do(part: str, made: Plan = made, path: Path = opened.path, home: Path = home) -> None:
            if part == "olive":
                as_it_is()
            build(made, path, home / "optimize" / f".{NAMES.get(part, part)}.{part}")

        told[name] = {part: apart(lambda part=part: do(part), home / f"{part}.txt") for part in ("olive", "ours")}
        if name in AT:
            told[name]["killed"] = apart(lambda: do("killed"), home / "killed.txt", AT[name])
            told[name]["resumed"] = apart(lambda: do("resumed"), home / "resumed.txt")
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
