"""What differs by kind of model stands with the kinds: nobody else writes the name of one, or of its classes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from edgekit import files, kinds

pytestmark = pytest.mark.unit

# What a kind needs besides its own file, each part a file of its own: recipes, gates, children, the runtime's loop.
MEMBERS = ("kinds", "recipes", "quality", "jobs", "wrappers")
# An entry of the table says which kinds have the metric; the table lies below kinds, whose headlines are its entries.
ALSO = ("results/metrics.py",)
FILES = sorted(path for path in files.PACKAGE.rglob("*.py") if path.relative_to(files.PACKAGE).parts[0] not in MEMBERS)


NAMES = kinds.names()
PREFIXES = tuple(name.capitalize() for name in NAMES)  # how the classes of a kind begin: Llm, Tensor


def of_a_kind(text: str) -> Iterator[str]:
    """The literals and names of a file that are a kind's, with their lines."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Constant(value=str(name)) if name in NAMES:
                yield f"{node.lineno}: {name!r}"
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name) | ast.ClassDef(name=name):
                begun = next((len(begin) for begin in PREFIXES if name.startswith(begin)), 0)
                if begun and name[begun : begun + 1].isupper() and name != "TensorProto":  # which is ONNX's
                    yield f"{node.lineno}: {name}"


def test_nobody_but_its_members_names_a_kind() -> None:
    named = {path.relative_to(files.PACKAGE).as_posix(): list(of_a_kind(path.read_text("utf-8"))) for path in FILES}
    assert len(named) > 150
    assert {path: lines for path, lines in named.items() if lines and path not in ALSO} == {}
    assert all(named[path] for path in ALSO), "no exception is needed here any more"


@pytest.mark.parametrize(
    "text",
    [
        'if kind == "llm": pass',
        "table = {'tensor': 1}",
        "x: tuple[Literal['llm'], ...]",
        "from edgekit.kinds.llm import LlmBench",
        "isinstance(it, kinds.tensor.TensorContract)",
        "class LlmThing: pass",
    ],
)
def test_it_finds_one(text: str) -> None:
    assert len(list(of_a_kind(text))) == 1


@pytest.mark.parametrize(
    "text", ['x = "llms"', "from onnx import TensorProto", "model.llm", "Tensor(name='x')", "# llm"]
)
def test_it_finds_no_more(text: str) -> None:
    assert not list(of_a_kind(text))
