"""Ep and Option: what is known of an execution provider, as data; the files beside this one fill them in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Form = Literal["choice", "integer", "number", "text"]


@dataclass(frozen=True)
class Option:
    """One provider option.

    Attributes:
        key: as ONNX Runtime spells it.
        meaning: in a few words.
        values: the allowed values; empty where `form` says what is allowed.
        form: what a value looks like when there is no list of them.
    """

    key: str
    meaning: str
    values: tuple[str, ...] = ()
    form: Form = "text"

    def refusal(self, value: str) -> str:
        """Why this value is wrong, or ""."""
        if self.values:
            return "" if value in self.values else f"must be one of {', '.join(self.values)}"
        if self.form == "integer":
            return "" if value.removeprefix("-").isascii() and value.removeprefix("-").isdigit() else "must be a number"
        return "" if value.strip() else "must not be empty"


@dataclass(frozen=True)
class Ep:
    """An execution provider.

    Attributes:
        name: short, as targets and manifests write it.
        title: for people.
        options: the provider options edgekit knows.
        source: where these facts were read.
        static_shapes: True where a node with an input of unknown size is not taken.
        llm: True where it has kernels for int4 decoders (MatMulNBits, GroupQueryAttention).
        graph: True where GenAI's model builder makes a graph of its own for it, under the same short name.
        plugin: the Python module that carries it as a plugin library; "" where it is built into ONNX Runtime.
        defaults: options of this machine that a session needs (a library's path).
    """

    name: str
    title: str
    options: tuple[Option, ...]
    source: str
    static_shapes: bool = False
    llm: bool = False
    graph: bool = False
    plugin: str = ""
    defaults: Callable[[], dict[str, str]] = dict


FLAG = ("0", "1")
