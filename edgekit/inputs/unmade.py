"""Inputs of which the source's files speak without being understood, and what is said of them."""

from __future__ import annotations

from edgekit.model import Model

LINE = "how {name} is made of a file is not in the contract: "
NEAR = "; where that does not matter: --input-spec "


def said(model: Model, name: str) -> str:
    """Why the files do not say how an input is made, and what is next to it; "" where they do not speak of it."""
    begin = LINE.format(name=name)
    return next((line.removeprefix(begin) for line in model.left_out if line.startswith(begin)), "")


def reason(model: Model, name: str) -> tuple[str, str]:
    """The same in two: why, and the --input-spec that is next to it; "" for what is not."""
    why, _, spec = said(model, name).partition(NEAR)
    return why, spec
