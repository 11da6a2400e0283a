"""How often a file calls a thing by a name that says nothing of it; such names may only become fewer.

`python -m tests.names [FILE ...]` writes the rows of these files in tests/names.json anew, without any those of all: a
number falls or stays, and what moved to another file goes with it where both are named. It never rises:
tests/unit/test_names.py fails first, and the names are mended.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROWS = Path(__file__).with_suffix(".json")
FOLDERS = ("edgekit", "tests", "benchmarks", "docs", "scripts", "mobile_samples")
VAGUE = frozenset({"one", "found", "given", "aside", "early", "killed"})


def identifiers(tree: ast.AST) -> Iterator[str]:
    """Every name that the code gives or uses: variables, arguments, attributes, functions, classes, imports."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.keyword(arg=str(name)):
                yield name
            case ast.alias(name=path, asname=name):
                yield name or path.rpartition(".")[2]
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name


@cache
def vague(text: str) -> int:
    """How many identifiers of a Python file are in VAGUE."""
    return sum(name in VAGUE for name in identifiers(ast.parse(text)))


def counts(root: Path = ROOT) -> dict[str, int]:
    """The files that have any, by their path below `root`, with how many."""
    paths = sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.py"))
    numbers = {path.relative_to(root).as_posix(): vague(path.read_text(encoding="utf-8")) for path in paths}
    return {path: count for path, count in numbers.items() if count}


def rows() -> dict[str, int]:
    """What tests/names.json allows."""
    allowed: dict[str, int] = json.loads(ROWS.read_text(encoding="utf-8"))
    return allowed


def problems(allowed: Mapping[str, int], now: Mapping[str, int], root: Path = ROOT) -> list[str]:
    """The files that have more than they may, as lines for a reader.

    A file without a row may have none but what came with it: new ones have no more in all than those that are gone had.
    """
    gone = sum(count for path, count in allowed.items() if not (root / path).is_file())
    more = [f"{path}: {now[path]}, {count} before" for path, count in allowed.items() if now.get(path, 0) > count]
    new = {path: count for path, count in now.items() if path not in allowed}
    if sum(new.values()) > gone:
        more += [f"{path}: {count}, and it is a new file" for path, count in new.items()]
    return more


def rewritten(allowed: Mapping[str, int], now: Mapping[str, int], root: Path = ROOT) -> dict[str, int]:
    """The rows that follow from today's files.

    Raises:
        ValueError: a file has more than its row, or new ones have more than others lost since the last writing.
    """
    risen = {path: count for path, count in now.items() if count > allowed.get(path, count)}
    new = sum(count for path, count in now.items() if path not in allowed)
    lost = sum(count - now.get(path, 0) for path, count in allowed.items())
    if risen or new > lost:
        hint = f"say what they are: {', '.join(sorted(VAGUE))} name nothing"
        raise ValueError("\n".join([*problems(allowed, now, root), hint]))
    return dict(sorted(now.items()))


def written(chosen: Sequence[str], allowed: Mapping[str, int], root: Path = ROOT) -> dict[str, int]:
    """All rows, those of the chosen files anew; of every file where none is chosen.

    Raises:
        ValueError: as `rewritten`, or a word that is no file which is looked at, nor one that was.
    """
    now = counts(root)
    looked = {path.relative_to(root).as_posix() for folder in FOLDERS for path in (root / folder).rglob("*.py")}
    if unknown := sorted(set(chosen) - looked - allowed.keys()):
        raise ValueError(f"no file of {', '.join(FOLDERS)}: {', '.join(unknown)}")
    named = set(chosen) or looked | allowed.keys()
    parts = ({path: rows[path] for path in named & rows.keys()} for rows in (allowed, now))
    kept = {path: count for path, count in allowed.items() if path not in named}
    return dict(sorted((kept | rewritten(*parts, root)).items()))


def main(chosen: Sequence[str]) -> int:
    """Write the rows; 1 where a number would rise or a word is no file, and nothing is written."""
    try:
        made = written(chosen, rows())
    except ValueError as error:
        print(error)
        return 1
    ROWS.write_text(json.dumps(made, indent=0) + "\n", encoding="utf-8")
    print(f"{sum(made.values())} in {len(made)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
