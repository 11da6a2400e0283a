"""The stages of CI: which tests each runs. Every test is of exactly one, or none runs at all.

A file says by its marks what its tests need (pyproject.toml lists the marks); the stage follows from them.
"""

from __future__ import annotations

from collections.abc import Collection

# stage -> its mark, or several; `make` has a target for each, .ci/run calls all but nightly
STAGES = {
    "unit": ("unit",),
    "runtimes": ("runtimes",),
    "olive": ("olive",),
    "tools": ("tools", "device", "cross"),
    "nightly": ("nightly",),
}
# What a test needs beyond what its file needs decides: one of a file of olive that asks for an apt program is of tools.
_STRONGER = ("nightly", "tools", "olive")


def stage_of(marks: Collection[str]) -> str:
    """The stage of a test with these marks.

    Raises:
        ValueError: no mark of a stage, or two of which neither decides.
    """
    stages = [stage for stage, of in STAGES.items() if set(of) & set(marks)]
    for stage in _STRONGER:
        if stage in stages and "unit" not in stages:
            return stage
    if len(stages) != 1:
        raise ValueError(f"it is of {' and '.join(stages) or 'no stage'}, not of one of {', '.join(STAGES)}")
    return stages[0]
