"""What this runtime does with a kind of model: kind_NAME.py, found by its name, with

FORM                                             how it is packed, which says what opens it
bench(bundle, inputs, plan, tell)                raw samples of the plan's workload
record(bundle, inputs, rule) -> Arrays           golden answers
compare(here, goldens, rule, same)               {rule, compared, worst, wrong}; same: the kernels are the same
sure(answers, rule)                              how many of them are sure enough to be held against
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

from .manifest import Refused

_BEGIN = "kind_"


def of(kind: Any) -> ModuleType:
    """What a kind has here.

    Raises:
        Refused: this runtime does not know it.
    """
    known = {path.stem.removeprefix(_BEGIN) for path in Path(__file__).parent.glob(f"{_BEGIN}*.py")}
    if not isinstance(kind, str) or kind not in known:
        raise Refused(f"the bundle holds a model of the unknown kind {kind!r}", axis="requires")
    return importlib.import_module(f".{_BEGIN}{kind}", __package__)
