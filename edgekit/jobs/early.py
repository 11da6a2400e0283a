"""A job's child that is started before its request is known (tools.Early): it loads its libraries, then waits."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

WAIT = "--wait"  # in place of the request's path, which is then a line of standard input
FOLDER = "EDGEKIT_EARLY_FOLDER"  # the variable that names the child's own folder


def request(load: Callable[[], None]) -> Path:
    """The path of the request, once it is known; the process ends where nobody asks any more.

    Args:
        load: imports what the job needs.
    """
    if sys.argv[-1] != WAIT:
        return Path(sys.argv[-1])
    with suppress(Exception):  # the job itself will meet it again, with a log to write it to
        load()
    line = sys.stdin.readline().rstrip("\n")
    if not line:  # the parent has died, or needs no more
        shutil.rmtree(os.environ[FOLDER], ignore_errors=True)
        sys.exit(0)
    path = Path(line)
    log = os.open(path.with_name("log.txt"), os.O_WRONLY | os.O_APPEND)
    os.dup2(log, 2)
    return path
