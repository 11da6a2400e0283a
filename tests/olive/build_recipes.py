"""Build one model with several recipes in one process: Olive takes ten seconds to import.

python build_recipes.py SOURCE OUT RECIPE[@TARGET][+TEXT]...

Recipes and targets are names, or files; TEXT is a file of calibration text. Leaves OUT/NAME/model, where NAME is
"recipe", "recipe@target" or either with "+text"; prints {NAME: error or ""} as its last line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from edgekit import plan, sources, target
from edgekit.inputs.llm_texts import TextCalibration, open_text
from edgekit.jobs.olive.run import optimize
from edgekit.plan import Plan


def error_of(made: Plan, source: Path, work: Path, text: TextCalibration | None = None) -> str:
    """Build a plan's model in work/model; why it failed, or nothing."""
    work.mkdir(parents=True)
    if text is not None:
        (work / "texts").mkdir()
        text.write_feeds(work / "texts")
    request = {
        "config": made.optimize_step(made.main).config,
        "source": str(source),
        "work": str(work),
        "calibration": str(work / "texts") if text is not None else None,
        "expected": list(made.expected_files),
    }
    try:
        optimize(request, lambda event, **data: None)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def main(source: str, out: Path, recipes: list[str]) -> None:
    """Each recipe with the settings of its target, or of linux-cpu."""
    opened = sources.open_source(source)
    errors: dict[str, str] = {}
    for wanted in recipes:
        chosen, _, file = wanted.partition("+")
        recipe, _, name = chosen.partition("@")
        made = plan.make(opened.model, target.load(name or "linux-cpu"), recipe=recipe)
        done = made.main.recipe + (f"@{made.target}" if name else "") + ("+text" if file else "")
        errors[done] = error_of(made, opened.path, out / done, open_text(Path(file)) if file else None)
    print(json.dumps(errors))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
