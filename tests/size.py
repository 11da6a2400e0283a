"""How large things may be: the members of families, and the part of edgekit that all share.

`python -m tests.size` prints how large they are.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "edgekit"

# Lines of one member, by the folder of its family; CONTRIBUTING.md names them. Channels have their budget before their
# first member. A face is a member as a whole: the folder of its sources, of these languages.
BUDGETS = {
    "recipes": 60,
    "quality": 80,
    "meters": 200,
    "sources": 200,
    "delivery": 150,
    "lint": 150,
    "wrappers/kotlin/src": 600,
    "wrappers/swift/src": 600,
    "wrappers/csharp/src": 600,
}
FACE = "/src"
FACES = (".kt", ".swift", ".cs")
# Members that are larger than their budget, with their lines: these may only shrink, and no others are added.
LARGER: dict[str, int] = {}
# What every kind, target, provider and channel stands on.
COMMON = {
    "base": (
        *("cache", "code", "console", "data", "digests", "engines", "errors", "extras", "files", "killed"),
        *("output", "passes", "plain", "reading", "registry", "scratch", "start", "tools", "used"),
    ),
    "results": ("results",),
    "kinds": ("kinds",),
    "contract": ("contract",),
    "target and plan": ("target", "plan"),
    "the verbs": ("ab", "build", "check", "compare", "doctor", "search"),
    "bundle": ("bundle",),
    "verdicts": ("verdicts",),
}
MOST = 9000  # lines of COMMON, as `wc -l` counts them


def lines(path: Path) -> int:
    """The lines of a file, or of a face's files, blank ones too."""
    if path.is_dir():
        return sum(lines(file) for file in path.rglob("*") if file.suffix in FACES)
    return len(path.read_text(encoding="utf-8").splitlines())


def members(package: Path = PACKAGE) -> Iterator[tuple[str, int]]:
    """The members of the families that have a budget, by their path below edgekit/, with that budget."""
    for family, most in BUDGETS.items():
        if family.endswith(FACE):
            yield from [(family, most)] * (package / family).is_dir()
            continue
        for path in sorted((package / family).glob("*.py")):
            if not path.name.startswith("_"):
                yield path.relative_to(package).as_posix(), most


def too_large(package: Path = PACKAGE, larger: dict[str, int] = LARGER) -> list[str]:
    """Members beyond their budget, or beyond what they are known to have; and rows that no member needs any more."""
    problems = []
    for member, most in members(package):
        size, allowed = lines(package / member), larger.get(member, most)
        if size > allowed:
            problems.append(f"{member} has {size} lines, {allowed} are its most")
        elif member in larger and size <= most:
            problems.append(f"{member} is within its budget of {most}: take away its row")
    gone = sorted(member for member in larger if not (package / member).exists())
    return [*problems, *(f"{member} is gone: take away its row" for member in gone)]


def common(package: Path = PACKAGE) -> dict[str, int]:
    """The lines of each part of COMMON."""
    return {part: sum(lines(path) for name in names for path in files(package, name)) for part, names in COMMON.items()}


def files(package: Path, name: str) -> list[Path]:
    """The Python files of a module or package of edgekit; none where it does not exist (yet)."""
    module = package / f"{name}.py"
    return [module] if module.is_file() else sorted((package / name).rglob("*.py"))


def main() -> int:
    """Print the sizes."""
    parts = common()
    for part, size in parts.items():
        print(f"{size:6} {part}")
    print(f"{sum(parts.values()):6} in all, less than {MOST} are allowed")
    for member, most in members():
        if (size := lines(PACKAGE / member)) > most:
            print(f"{size:6} {member}, over its budget of {most}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
