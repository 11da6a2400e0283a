"""`python -I start.py MODULE ...`: a child of edgekit that imports from where its parent does, and from nowhere else.

Isolated (-I) Python puts neither the current folder nor a script's folder nor PYTHONPATH on its path; tools.module and
tools.imports hand it the path of the parent, which has no current folder on it either (see `leave_current_folder`).
"""

from __future__ import annotations

import os
import runpy
import sys
from contextlib import suppress
from pathlib import Path

PARENT = "EDGEKIT_PARENT"  # the variable with the number of the process that a child ends with
WAIT = "--wait"  # a job's argument in place of a request's path: each is then a line of its standard input
IMPORTS = "EDGEKIT_IMPORTS"  # the variable with the folders to import from, as PYTHONPATH has them
# Variables that name a file or a folder, and are read in children, which work in other folders.
PATHS = (
    "EDGEKIT_CACHE",
    "TMPDIR",
    "TEMP",
    "TMP",
    "HF_HOME",
    "HF_TOKEN_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
)


def leave_current_folder() -> None:
    """Take the folder that Python itself put first (of `python -m`, or of the script) off the path; relative paths
    in the environment are made absolute.

    A json.py or a folder numpy/ that lies where the user works is no part of edgekit. An empty entry of PYTHONPATH,
    which means the current folder, is an accident of joining and goes too; what PYTHONPATH names stays.
    """
    if not sys.flags.safe_path and sys.path:
        del sys.path[0]
    named = os.environ.get("PYTHONPATH", "")
    if named and "" in named.split(os.pathsep) and not sys.flags.ignore_environment:
        with suppress(OSError, ValueError):  # a folder that was removed; one that is not on the path
            if (here := str(Path.cwd())) not in named.split(os.pathsep):
                sys.path.remove(here)
    for name in PATHS:
        if value := os.environ.get(name):
            with suppress(OSError, RuntimeError):  # a folder that was removed; ~nobody
                os.environ[name] = str(Path(value).expanduser().absolute())


def end_with_parent() -> None:
    """On Linux the kernel kills this process when its parent dies, from its first moment on.

    A job asks for that again once it has loaded what it needs (protocol.serve), but its parent may be gone by then.
    """
    parent = os.environ.get(PARENT)
    if sys.platform != "linux" or parent is None:
        return
    import ctypes

    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
    if os.getppid() != int(parent):
        os._exit(1)


def main() -> None:
    """Run the module named on the command line as `python -m` would."""
    end_with_parent()
    sys.path[:] = os.environ[IMPORTS].split(os.pathsep)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
