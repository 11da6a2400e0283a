"""A metric's name is written once: no other string of the product is one, whole, at a place or by its parts."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.results import metrics as m

pytestmark = pytest.mark.unit

PACKAGE = Path(m.__file__).parents[1]
FILES = sorted(PACKAGE.rglob("*.py"))
TABLE = PACKAGE / "results" / "metrics.py"
# What leaves the house imports nothing of it, and names its raw samples itself.
RUNTIMES = ("wrappers/python/__main__.py", "wrappers/python/bench.py")
LEAST = 5  # letters of an f-string's own; with fewer, much would fit


def strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and pattern of every string: the text itself, and of an f-string with .* where a value is put in."""
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.lineno, re.escape(node.value)
        elif isinstance(node, ast.JoinedStr):
            parts = (re.escape(str(p.value)) if isinstance(p, ast.Constant) else ".*" for p in node.values)
            yield node.lineno, "".join(parts)


def names_in(text: str) -> list[str]:
    """The strings of a file that name a metric, or that several of their names begin with."""
    found = []
    for line, pattern in strings(ast.parse(text)):
        bare = pattern.partition("@")[0]
        enough = len(bare.replace(".*", "")) >= (LEAST if ".*" in bare else 1)
        whole = enough and any(re.fullmatch(bare, name) for name in m.METRICS)
        start = bare.endswith("_") and sum(name.startswith(bare) for name in m.METRICS) > 1
        if whole or start:
            found.append(f"{line}: {pattern}")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_other_file_writes_the_name_of_a_metric(path: Path) -> None:
    found = names_in(path.read_text(encoding="utf-8"))
    if path == TABLE or path.relative_to(PACKAGE).as_posix() in RUNTIMES:
        assert found, "no exception is needed here any more"
    else:
        assert not found, "take the entry of results/metrics.py"


@pytest.mark.parametrize(
    "text",
    [
        'x = "kl_mean"',
        "x = {'decode_tps': 1}",
        'x = "kl_mean@simulator"',
        'x = f"ttft_ms@pp{count}"',
        'x = f"energy_j_per_{unit}"',
        'x = name.startswith("energy_")',
        'x = ("load_", "itl_")',
        'x = f"latency_p{percent}_ms"',
    ],
)
def test_it_finds_a_name(text: str) -> None:
    assert len(names_in(text)) >= 1


@pytest.mark.parametrize("text", ['x = "a word"', "x = ''", 'x = f"{name}@{place}"', 'x = f"{a}_{b}"', "x = kl_mean"])
def test_it_finds_no_more(text: str) -> None:
    assert not names_in(text)


def test_every_name_in_the_data_is_a_metrics() -> None:
    """limits.toml and the targets are read by validators; here the other way: that they do name some."""
    limits = tomllib.loads((PACKAGE / "quality" / "limits.toml").read_text(encoding="utf-8"))
    named = {name.partition("@")[0] for kind in limits.values() for name in kind["always"]}
    assert named and named <= set(m.METRICS)
