"""What would help where a provider leaves a node, from rewrites.toml."""

from __future__ import annotations

import tomllib
from functools import lru_cache

from edgekit import files
from edgekit.data import Strict


class Rewrite(Strict):
    """One entry of rewrites.toml; an empty key fits everything."""

    operators: tuple[str, ...] = ()
    eps: tuple[str, ...] = ()
    says: str = ""
    text: str


@lru_cache(maxsize=1)
def known() -> tuple[Rewrite, ...]:
    """All entries, in order."""
    text = files.resource("partition/rewrites.toml").read_text(encoding="utf-8")
    return tuple(Rewrite.model_validate(row) for row in tomllib.loads(text)["rewrite"])


def rewrite(operator: str, reason: str, ep: str) -> str:
    """The advice for an operator ("ai.onnx:Resize") that a provider left for this reason; "" where none is known."""
    name = operator.rpartition(":")[2]
    for one in known():
        fits = (not one.operators or name in one.operators) and (not one.eps or ep in one.eps)
        if fits and one.says in reason:
            return one.text
    return ""
