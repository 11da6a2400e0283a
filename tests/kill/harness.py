"""Builds that are watched from outside, killed at drawn points and run again: see watch.py for what a point is.

No hook in the product: the build runs in a virtual environment of its own, whose .pth file loads watch.py into every
process, however isolated it is started.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import venv
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
GONE_S = 20.0  # seconds that the children of a killed build have to end
BUILD_S = 900.0
MEMOS = ("digests.json", "code.json")  # files of the cache itself
Point = tuple[str, int, int]  # stage, process, number


@dataclass(frozen=True)
class Kill:
    """Where, and who: "all" (edgekit and its children), "parent", or "child"."""

    point: Point
    victim: str

    def __str__(self) -> str:
        stage, process, number = self.point
        return f"{self.victim} at {stage}[{process}:{number}]"


@dataclass
class Place:
    """The folders of one series of builds; everything that a build may write lies in one of them."""

    folder: Path
    runs: int = 0
    out: Path = field(init=False)
    cache: Path = field(init=False)
    tmp: Path = field(init=False)
    home: Path = field(init=False)

    def __post_init__(self) -> None:
        for name in ("out", "cache", "tmp", "home"):
            path = self.folder / name
            setattr(self, name, path)
            if name != "out":
                path.mkdir(parents=True)


class Watched:
    """The environment whose processes are watched.

    Args:
        folder: where it is made.
        words: of `edgekit build`, without -o.
    """

    def __init__(self, folder: Path, words: Sequence[str]) -> None:
        self.words = list(words)
        venv.create(folder, symlinks=True, with_pip=False)
        (site,) = folder.glob("lib/python*/site-packages")
        packages = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
        (site / "a_packages.pth").write_text("\n".join([str(ROOT), *packages]) + "\n")
        shutil.copy(HERE / "watch.py", site / "edgekit_watch.py")
        self.control = site / "control.json"
        self._tell(None, None)
        (site / "b_watch.pth").write_text("import edgekit_watch\n")
        self.python = folder.absolute() / "bin" / "python"

    def _tell(self, folder: Path | None, kill: Kill | None) -> None:
        said = {
            "folder": str(folder) if folder else "",
            "point": list(kill.point) if kill else None,
            "victim": kill.victim if kill else "",
        }
        self.control.write_text(json.dumps(said))

    def build(self, place: Place, kill: Kill | None = None) -> tuple[int, str, Path]:
        """Run the build, to its end or to where it is killed; returns its exit code, its words, and its events."""
        events = place.folder / f"events-{place.runs}"
        place.runs += 1
        events.mkdir()
        self._tell(events, kill)
        environment = {**os.environ, "EDGEKIT_CACHE": str(place.cache), "TMPDIR": str(place.tmp)}
        environment |= {"HOME": str(place.home), "PYTHONDONTWRITEBYTECODE": "1"}
        environment.pop("PYTHONPATH", None)
        command = [str(self.python), "-m", "edgekit", "build", *self.words, "-o", str(place.out)]
        with (place.folder / "stderr").open("w+") as errors:
            code = subprocess.run(
                command,
                env=environment,
                cwd=place.home,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                timeout=BUILD_S,
                check=False,
                start_new_session=True,
            ).returncode
            errors.seek(0)
            return code, errors.read(), events

    def verified(self, place: Place, name: str) -> str:
        """The sha256 of the bundle, all of whose bytes `edgekit verify` has read."""
        self._tell(None, None)
        command = [str(self.python), "-m", "edgekit", "verify", str(place.out / name), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=place.home)
        assert done.returncode == 0, done.stderr
        return str(json.loads(done.stdout)["data"]["sha256"])


def points(events: Path) -> list[Point]:
    """Every event of a run, in the order of time; each once."""
    lines = [json.loads(line) for line in (events / "events").read_text().splitlines()]
    return list(dict.fromkeys((str(at[0]), int(at[1]), int(at[2])) for _, at, _, _ in sorted(lines)))


def drawn(every: Sequence[Point], count: int, least: int, stages: Sequence[str], random: Random) -> list[Kill]:
    """So many kills, uniformly over the events, and at least so many in each of the stages; in the order of time.

    In a stage that has children, one of these at least is killed alone.
    """
    alone = set()
    chosen = set(random.sample(range(len(every)), min(count, len(every))))
    for stage in stages:
        inside = [at for at, point in enumerate(every) if point[0] == stage]
        children = [at for at in inside if every[at][1] > 0]
        if children:
            alone.add(random.choice(children))
            chosen |= alone
        rest = [at for at in inside if at not in chosen]
        missing = least - (len(inside) - len(rest))
        chosen |= set(random.sample(rest, max(0, min(missing, len(rest)))))
    kills = []
    for at in sorted(chosen):
        victims = ("all", "parent") if every[at][1] == 0 else ("all", "parent", "child")
        kills.append(Kill(every[at], "child" if at in alone else random.choice(victims)))
    return kills


def chains(kills: Sequence[Kill], length: int) -> list[list[Kill]]:
    """The kills dealt into chains in which each is later than the one before: the build that follows it reaches it."""
    count = max(1, -(-len(kills) // length))
    return [list(kills[at::count]) for at in range(count)]


def alive(events: Path) -> list[str]:
    """The processes of a run that are still there after a while."""
    pids = [path.suffix[1:] for path in events.glob("pid.*")]
    end = time.monotonic() + GONE_S
    while left := [pid for pid in pids if _runs(pid)]:
        if time.monotonic() > end:
            return [f"{pid} {Path(f'/proc/{pid}/cmdline').read_bytes()!r}" for pid in left]
        time.sleep(0.05)
    return []


def _runs(pid: str) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


def leftovers(place: Place, names: Collection[str], stages: Sequence[str]) -> list[str]:
    """What lies where nothing should after a build of bundles of these names that ended well."""
    found = [path for path in place.out.iterdir() if path.name not in names]
    found += [*place.tmp.iterdir(), *place.home.iterdir()]
    found += [path for path in place.cache.rglob("*") if _odd(path, place.cache, stages)]
    return sorted(str(path.relative_to(place.folder)) for path in found)


def _odd(path: Path, cache: Path, stages: Sequence[str]) -> bool:
    parts = path.relative_to(cache).parts
    if len(parts) == 1:
        return not (parts[0] in stages or parts[0] in MEMOS)
    return len(parts) == 2 and (parts[1].startswith(".") or (path.is_file() and path.suffix != ".lock"))


def entries(cache: Path) -> dict[str, str]:
    """The digest of every file of every entry of the cache, read anew, by path; what entries say of times left out."""
    found = {}
    for path in sorted(cache.glob("*/*/**/*")):
        if path.is_file() and path.name != "entry.json":
            found[path.relative_to(cache).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def counted(kills: Sequence[Kill]) -> str:
    """How many kills fell into each stage, in words."""
    tally = Counter(kill.point[0] for kill in kills)
    return ", ".join(f"{count} in {stage}" for stage, count in tally.items())
