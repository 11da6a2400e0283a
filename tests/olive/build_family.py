"""Build checkpoints of tests/olive/family.py in one process: Olive takes ten seconds to import.

python -m tests.olive.build_family OUT NAME...

Each with the recipe that linux-cpu has without calibration and in float32: OUT/NAME/source, OUT/NAME/default/model and
OUT/NAME/llm_float32/model. Prints {"NAME RECIPE": error or ""} as its last line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from edgekit import plan, sources, target
from edgekit.project.pairs import tuned
from tests.olive import family
from tests.olive.build_recipes import error_of

EXACT = "llm_float32"


def main(out: Path, names: list[str]) -> None:
    errors: dict[str, str] = {}
    for name in names:
        make = family.FAMILY.get(name) or family.OTHERS[name]
        source = sources.open_source(str(make(out / name / "source")))
        for asked in (None, EXACT):
            made = plan.make(source.model, tuned(target.load("linux-cpu"), effort="quick"), recipe=asked)
            work = out / name / ("default" if asked is None else EXACT)
            errors[f"{name} {made.main.recipe}"] = error_of(made, source.path, work)
    print(json.dumps(errors))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
