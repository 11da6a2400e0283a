"""`make mutants`: break one line of the judging code at a time and see that `make unit` notices each.

The rows are tests/mutants.toml. Each is applied to a copy of the tree, never to this one; the test that it names runs
first, all of tests/unit where that one passes. Exit 1: a mutant survived, or a row no longer fits its file.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).parents[1]
ROWS = Path(__file__).with_suffix(".toml")
WORKERS = 2
TIMEOUT = 900.0  # seconds for all unit tests; a mutant may run in circles
FAILED = 1  # pytest's exit code for tests that ran and failed; others mean that they did not run


@dataclass(frozen=True)
class Mutant:
    """One row: `before` stands once in `file`, and `test` ("test_module.py::test_name") fails with `after` there."""

    file: str
    before: str
    after: str
    why: str
    test: str

    def problem(self, root: Path = ROOT) -> str:
        """Why this row fits its file no longer; "" where it does."""
        path = self.path(root)
        if path is None:
            return "the file is gone"
        if (count := path.read_text(encoding="utf-8").count(self.before)) != 1:
            return f"its text stands {count} times in the file"
        if self.before == self.after or not self.why:
            return "it changes nothing" if self.before == self.after else "it does not say why it matters"
        return "" if self.node(root) else f"tests/unit has no {self.test}"

    def path(self, root: Path = ROOT) -> Path | None:
        """The file, or where it was moved: the only one of its name below edgekit/ that has the text."""
        if (root / self.file).is_file():
            return root / self.file
        named = (root / "edgekit").rglob(Path(self.file).name)
        found = [path for path in named if self.before in path.read_text(encoding="utf-8")]
        return found[0] if len(found) == 1 else None

    def node(self, root: Path = ROOT) -> str:
        """The test for pytest, wherever its file lies below tests/unit; "" where it is not there, or twice."""
        module, _, name = self.test.partition("::")
        found = [
            path
            for path in (root / "tests" / "unit").rglob(module)
            if f"def {name}(" in path.read_text(encoding="utf-8")
        ]
        return f"{found[0].relative_to(root).as_posix()}::{name}" if len(found) == 1 else ""

    @contextmanager
    def applied(self, root: Path) -> Iterator[None]:
        """The file of a copy is changed until the block is left."""
        path = self.path(root)
        assert path is not None
        former = path.read_text(encoding="utf-8")
        path.write_text(former.replace(self.before, self.after), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(former, encoding="utf-8")


def rows() -> list[Mutant]:
    """The mutants of tests/mutants.toml, in their order."""
    return [Mutant(**row) for row in tomllib.loads(ROWS.read_text(encoding="utf-8"))["mutant"]]


def copy(to: Path) -> Path:
    """A copy of what git knows of this tree, and of what is new in it, without caches or compiled files."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)
    return to


def pytest(root: Path, *words: str) -> tuple[int, str]:
    """pytest's exit code in a copy, which imports its own edgekit, and the first test that failed; -1: out of time."""
    environment = os.environ | {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {"EDGEKIT_CACHE": str(root / ".cache"), "HYPOTHESIS_STORAGE_DIRECTORY": str(root / ".hypothesis")}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--stage", "unit", *words]
    try:
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return -1, ""
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    return done.returncode, failed.group(1) if failed else ""


def outcome(mutant: Mutant, root: Path) -> str:
    """ "killed ...", or why this mutant is not: a test must have run and failed, and must pass without the mutant."""
    with mutant.applied(root):
        code, _ = pytest(root, mutant.node(root))
        if code not in (0, FAILED):
            return f"NOT JUDGED: pytest ended with {code}"
        code, other = (FAILED, mutant.node(root)) if code else pytest(root, "tests/unit")
    if code != FAILED:
        return f"SURVIVED (pytest ended with {code})"
    if other == mutant.node(root):
        return "killed"
    return f"killed by {other}" if pytest(root, other)[0] == 0 else f"NOT JUDGED: {other} fails without it too"


def main() -> int:
    """Judge all rows, or those whose file, test or reason has a word of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only rows with one of these words")
    words = parser.parse_args().words
    chosen = [row for row in rows() if not words or any(word in f"{row.file} {row.test} {row.why}" for word in words)]
    wrong = [f"{row.file}: {row.before!r}: {problem}" for row in chosen if (problem := row.problem())]
    killed, started = 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edgekit-mutants-") as folder:
        copies: Queue[Path] = Queue()
        for at in range(WORKERS):
            copies.put(copy(Path(folder) / str(at)))
        if not wrong and (failing := _failing_unchanged(chosen, copies.queue[0])):
            wrong.append(failing)

        def judged(mutant: Mutant) -> str:
            root = copies.get()
            try:
                return outcome(mutant, root)
            finally:
                copies.put(root)

        with ThreadPoolExecutor(WORKERS) as pool:
            for row, said in zip(chosen, pool.map(judged, chosen if not wrong else []), strict=not wrong):
                shown = f"{said}: {row.file}: {' '.join(row.before.split())} -> {' '.join(row.after.split())}"
                print(shown, flush=True)
                killed += said.startswith("killed")
                if not said.startswith("killed"):
                    wrong.append(f"{shown} ({row.why})")
    for problem in wrong:
        print(problem)
    print(f"{killed} killed, {len(chosen) - killed} not in {time.monotonic() - started:.2f}s")
    return 1 if wrong or not chosen else 0


def _failing_unchanged(chosen: list[Mutant], root: Path) -> str:
    """The tests that rows name must pass in a copy that nothing was changed in, or their failing says nothing."""
    code, failed = pytest(root, *dict.fromkeys(row.node(root) for row in chosen))
    return f"without any mutant, pytest ends with {code} {failed}: run `make unit` first" if code else ""


if __name__ == "__main__":
    sys.exit(main())
