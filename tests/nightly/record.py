"""Run a nightly and write its row: python -m tests.nightly.record TARGET COMMAND...

The row of tests/nightly/RESULTS.md has the date, the commit, `make TARGET`, the seconds, and pytest's own last line
with the figures that tests print ("figure: NAME 3/60"); of a run in pieces their sums. It is written where the command
failed too, and refused where the code is not that of one commit, from the first second to the last: nobody could
repeat it.
"""

from __future__ import annotations

import math
import re
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).with_name("RESULTS.md")
WAITING = "\n## Not run yet\n"
LAST = re.compile(r"^=* ?(\d+ \w+(?:, \d+ \w+)*) in [\d.]+s", re.M)  # pytest's: "5 passed, 1 skipped in 3.00s"
FIGURE = re.compile(r"^figure: (.+) (\d+)/(\d+)$", re.M)


def added(text: str, target: str, row: str) -> str:
    """RESULTS.md with a row more, and the target among those that wait no longer."""
    table, _, waiting = text.partition(WAITING)
    rest = [line for line in waiting.strip().splitlines() if not line.startswith(f"- `make {target}`")]
    return table.rstrip() + f"\n{row}\n" + WAITING + "".join(f"\n{line}" for line in rest) + "\n" * bool(rest)


def said(output: str) -> str:
    """What a row says of a run: "5 passed, 1 skipped; calls 3/60"; empty where pytest came to no end."""
    counts: Counter[str] = Counter()
    for end in LAST.findall(output):
        counts.update({word: int(count) for count, word in (part.split() for part in end.split(", "))})
    figures: dict[str, list[int]] = {}
    for name, part, whole in FIGURE.findall(output):
        known = figures.get(name, [0, 0])
        figures[name] = [known[0] + int(part), known[1] + int(whole)]
    if not counts:
        return ""
    tests = ", ".join(f"{count} {word}" for word, count in counts.items())
    return "; ".join([tests, *(f"{name} {part}/{whole}" for name, (part, whole) in figures.items())])


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def _commit(target: str) -> str:
    if _git("status", "--porcelain", "--untracked-files=no"):
        sys.exit(f"make {target}: its row names a commit, and the files here are not that: commit them, run it again")
    return _git("rev-parse", "--short=12", "HEAD")


def main(target: str, *command: str) -> int:
    commit, began, lines = _commit(target), time.monotonic(), []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            lines.append(line)
    if _commit(target) != commit:
        sys.exit(f"make {target}: another commit was checked out meanwhile: run it again")
    if process.returncode < 0:
        sys.exit(f"make {target}: it was ended by signal {-process.returncode}: run it again")
    result = said("".join(lines))
    if not result or (process.returncode and " failed" not in result and " error" not in result):
        result = "; ".join([f"ended with exit code {process.returncode}", *([result] if result else [])])
    seconds = math.ceil(time.monotonic() - began)
    row = f"| {datetime.now(UTC):%Y-%m-%d} | {commit} | `make {target}` | {seconds} | {result} |"
    RESULTS.write_text(added(RESULTS.read_text(encoding="utf-8"), target, row), encoding="utf-8")
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
