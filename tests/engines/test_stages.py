"""All tests there are, collected once: each is of one stage of CI, and its file is where that stage looks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.stages import STAGES, stage_of

pytestmark = pytest.mark.runtimes

ROOT = Path(__file__).parents[2]
# Collect as make does, and write the marks of each test before any is left out.
COLLECT = """
import json, sys, pytest

class Marks:
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items):
        marks = {item.nodeid: sorted({mark.name for mark in item.iter_markers()}) for item in items}
        open(sys.argv[1], "w").write(json.dumps(marks))

sys.exit(pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider"], plugins=[Marks()]))
"""


def test_every_test_is_of_one_stage_and_every_file_has_one(tmp_path: Path) -> None:
    command = [sys.executable, "-c", COLLECT, str(tmp_path / "marks.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    marks = json.loads((tmp_path / "marks.json").read_text())
    stages = Counter(stage_of(of) for of in marks.values())
    assert set(stages) == set(STAGES)
    written = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")}
    assert {node.partition("::")[0] for node in marks} == written


STAGE = """
set -euo pipefail
output=$(mktemp) counter=$(mktemp) durations=()
eval "$(sed -n '/^cpu()/,/^}/p' .ci/run)"
stage first 1 "$1" -c "$2"
stage idle 1 true
printf '%s\\n' "${durations[@]}"
rm -f "$output" "$counter"
"""


def test_ci_says_how_many_cpu_seconds_each_stage_took_and_lends_what_is_left() -> None:
    busy = "import time\nwhile time.process_time() < 3: pass"
    command = ["bash", "-c", STAGE, "bash", sys.executable, busy]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    seconds = {
        words[0]: int(words[-3]) for line in done.stdout.splitlines() if (words := line.split())[-2:] == ["CPU", "s"]
    }
    assert seconds["first"] >= 2 and seconds["idle"] < seconds["first"]
    limits = [int(words) for words in re.findall(r"at most (\d+) s", done.stdout)]
    assert limits[0] == 60 and 60 < limits[1] <= 118
