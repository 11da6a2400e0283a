"""Another environment than the test's: time zone, locale, hash seed, threads, kernels of torch, cores."""

from __future__ import annotations

import shutil

VARIABLES = {
    "TZ": "Asia/Tokyo",
    "LC_ALL": "C",
    "PYTHONHASHSEED": "7",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "ATEN_CPU_CAPABILITY": "default",
}


def on_one_core() -> list[str]:
    """The words that run a command on the first core alone; none where no program does that."""
    return ["taskset", "-c", "0"] if shutil.which("taskset") else []
