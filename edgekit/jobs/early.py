"""A job's child that is started before its request is known (tools.Early): it loads its libraries, then waits."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from edgekit.start import WAIT
from edgekit.tools import CWD, FOLDER


def request(load: Callable[[], None]) -> Path:
    """The path of the request, once it is known; the process ends where nobody asks any more.

    Args:
        load: imports what the job needs.
    """
    if sys.argv[-1] != WAIT:
        return Path(sys.argv[-1])
    parent, folder = os.getppid(), Path(os.environ[FOLDER])
    with suppress(Exception):  # the job itself will meet it again, with a log to write it to
        load()
    line = sys.stdin.readline().rstrip("\n")
    if not line or os.getppid() != parent:  # it needs no more, or has died
        shutil.rmtree(folder, ignore_errors=True)
        sys.exit(0)
    path = Path(line)
    os.chdir(path.with_name(CWD))
    with suppress(OSError):  # not empty: the parent removes it
        folder.rmdir()
    log = os.open(path.with_name("log.txt"), os.O_WRONLY | os.O_APPEND)
    os.dup2(log, 2)
    return path
