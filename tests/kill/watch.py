"""Loaded by every Python process of a watched build, before anything else of it: counts events, kills at one of them.

An event is a change on the disk, a program that is started, or a hundred modules that are loaded. It is named by the
stage of the build it belongs to, the process (0 is edgekit itself, 1 its first child in that stage, ...) and its number
there, so that a run that finds earlier stages in the cache has the same names from then on.

Lies in a virtual environment of the harness (see harness.py), so no process is without it, however isolated.
The file control.json beside it says what to do: {"folder": where events are written, "point": where to kill, "victim"}.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

CHANGES = frozenset(
    ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate", "os.link", "os.symlink")
)
LOADED = 100  # modules
# The outermost of these on the stack of edgekit's own process says which stage it is in.
STAGES = {
    "edgekit.sources": "import",
    "edgekit.optimize": "optimize",
    "edgekit.compile": "compile",
    "edgekit.bundle.stage": "stage",
    "edgekit.bundle.draft": "stage",
    "edgekit.partition": "placement",
    "edgekit.quality": "gate",
    "edgekit.bundle.check_data": "goldens",
    "edgekit.bundle.seal": "seal",
    "edgekit.bundle.aside": "workspace",
    "edgekit.cache": "record",
}


class Watch:
    """The events of this process."""

    def __init__(self, folder: Path, point: list[Any] | None, victim: str) -> None:
        self.folder, self.point, self.victim = folder, point, victim
        self.root = self._claim("root")
        self.stage = "start" if self.root else self._told()
        self.process = 0
        while not self.root and not self._claim(f"{self.stage}.{self.process}"):
            self.process += 1
        self.counts: dict[str, int] = {}
        self.modules = 0
        self.busy = False
        (folder / f"pid.{os.getpid()}").touch()

    def _claim(self, name: str) -> bool:
        try:
            os.close(os.open(self.folder / name, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True

    def _told(self) -> str:
        """The stage in which edgekit started this child."""
        self._claim("none.0")
        path = self.folder / "stage"
        return path.read_text() if path.exists() else "start"

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        if self.busy or not self._counts(event, args):
            return
        self.busy = True
        try:
            self._happened(event, args)
        finally:
            self.busy = False

    def _counts(self, event: str, args: tuple[Any, ...]) -> bool:
        if event == "open":
            return isinstance(args[2], int) and bool(args[2] & (os.O_WRONLY | os.O_RDWR)) and args[0] != os.devnull
        if event == "import":
            self.modules += 1
            return not self.root and self.modules % LOADED == 0
        return event in CHANGES or event == "subprocess.Popen"

    def _happened(self, event: str, args: tuple[Any, ...]) -> None:
        if self.root:
            self.stage = self._stage()
            if event == "subprocess.Popen":
                (self.folder / "stage").write_text(self.stage)
        number = self.counts[self.stage] = self.counts.get(self.stage, -1) + 1
        here = [self.stage, self.process if self.root else self.process + 1, number]
        line = json.dumps([time.monotonic_ns(), here, event, str(args[0])[:200] if args else ""]) + "\n"
        handle = os.open(self.folder / "events", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, line.encode())
        os.close(handle)
        if here == self.point and self._claim("killed"):
            self._kill()

    def _stage(self) -> str:
        frame, found = sys._getframe(), ""
        while frame is not None:
            name = str(frame.f_globals.get("__name__", ""))
            while name and name not in STAGES:
                name = name.rpartition(".")[0]
            found = STAGES.get(name, found)
            frame = frame.f_back  # type: ignore[assignment]
        return found or self.stage

    def _kill(self) -> None:
        """SIGKILL to edgekit and its children, to edgekit alone, or to this child alone."""
        pids = [int(path.suffix[1:]) for path in self.folder.glob("pid.*")]
        if self.victim != "child":
            root = min(pids, key=lambda pid: (self.folder / f"pid.{pid}").stat().st_mtime_ns)
            for pid in pids if self.victim == "all" else [root]:
                if pid != os.getpid():
                    os.kill(pid, signal.SIGKILL) if _alive(pid) else None
        if self.victim != "parent" or self.root:
            os.kill(os.getpid(), signal.SIGKILL)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def begin() -> None:
    """Watch this process from now on."""
    control = json.loads(Path(__file__).with_name("control.json").read_text())
    if control["folder"]:
        sys.addaudithook(Watch(Path(control["folder"]), control["point"], control["victim"]).hook)


begin()
