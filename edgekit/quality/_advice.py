"""What to try where a gate fails: its own advice, or another where circumstances would lead that to the same end.

A gate's module has ADVICE, and INSTEAD where a circumstance asks for other words: the first in it that holds is said.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, Protocol

from edgekit.sources.gguf import CONVERTED
from edgekit.sources.source import Source
from edgekit.target import Target

# The target names each variant's recipe, so that none is looked for; the recipe quantizes nothing; the tokenizer, its
# template and the configuration were made from a .gguf, and there are no files of them that anybody could correct.
Cause = Literal["fixed", "float", "gguf"]
EXACT = ("float32", "as-is")
ALL_BITS = "the recipe keeps all bits, so the built graph computes something else: report the model"
FROM_CHECKPOINT = "use the checkpoint that the .gguf was converted from as source: its own files come with it"
ACCEPT = "--accept-source builds it as it is, and the manifest says so"
ANY = "try another recipe (edgekit build --help)"


class Advising(Protocol):
    """What a gate's module says."""

    ADVICE: str
    INSTEAD: Mapping[Cause, str]


def causes(source: Source, target: Target, precision: str) -> frozenset[Cause]:
    """The circumstances of a bundle, by its source, its target and the precision of its recipe."""
    held: dict[Cause, bool] = {
        "fixed": bool(target.settings(source.model.kind).variant),
        "float": precision in EXACT or source.model.quantized,
        "gguf": CONVERTED in source.origin,
    }
    return frozenset(cause for cause, holds in held.items() if holds)


def of(gate: Advising | None, because: Collection[Cause]) -> str:
    """The advice of a gate; of none, that of any recipe's failure."""
    if gate is None:
        return ANY
    instead: Mapping[Cause, str] = getattr(gate, "INSTEAD", {})
    return next((words for cause, words in instead.items() if cause in because), gate.ADVICE)
