"""What a test needs that a machine may lack: there it is skipped, but fails on CI, which has it all.

Only this file skips, so everything that CI could pass over in silence is listed here; tests/unit/test_needs.py holds
the other files to that.
"""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType
from typing import NoReturn

import pytest

# What an operating system has not, wherever it runs. CI is Linux, where none of these skips.
posix = pytest.mark.skipif(os.name == "nt", reason="signals, pipes, links and process groups of POSIX")
linux = pytest.mark.skipif(sys.platform != "linux", reason="what only Linux's kernel tells or does")
pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
copy_in_kernel = pytest.mark.skipif(not hasattr(os, "copy_file_range"), reason="this system cannot copy in the kernel")

# What the machine under a container decides, so that CI may lack it too. -ra shows such a skip in pytest's summary.
NOT_EVERYWHERE = {
    "cgroup": "no cgroup can be made here: this needs root and the memory controller",
    "exchange": "this file system cannot exchange two names",
    "interpreter": "this Python lies where only root may start it",
    "odd names": "this file system takes only UTF-8 names",
}


def unavailable(reason: str) -> NoReturn:
    """This machine lacks what CI has; the reason says how to get it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason, allow_module_level=True)


def refused_here(what: str) -> NoReturn:
    """This machine does not do what is in NOT_EVERYWHERE."""
    pytest.skip(NOT_EVERYWHERE[what])


def module(name: str) -> ModuleType:
    """A package of an extra; at the top of a file too."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        unavailable(f"{name} cannot be imported ({error}): make env installs it")
