"""`make demo` in a fresh clone with a fresh home: what is downloaded, what the disk takes, and how long it lasts.

Writes scripts/demo.json, which `make demo` announces, and edgekit/fit/build.toml, by which the time of a build is
estimated. The aim: three minutes of CPU beyond pip's.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

from _common import ROOT

AIM_S = 180.0
MODEL = "smollm2-135m-instruct"
UNITS = {"kB": 1e3, "MB": 1e6, "GB": 1e9, "bytes": 1.0}
FETCHED = re.compile(r"^\s*Downloading .* \(([\d.]+) (kB|MB|GB|bytes)\)", re.MULTILINE)
FROM_DISK = re.compile(r"^Processing (/\S+\.whl)", re.MULTILINE)  # an index that is a folder


def timed(goal: str, clone: Path, home: Path) -> tuple[str, float, float]:
    """Make a goal; what it printed, its seconds, and those of CPU of all its processes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("EDGEKIT_", "XDG_", "VIRTUAL_"))}
    environment = {**kept, "HOME": str(home), "PIP_NO_CACHE_DIR": "1", "PIP_PROGRESS_BAR": "off"}
    before, started = os.times(), time.perf_counter()
    done = subprocess.run(["make", goal], cwd=clone, env=environment, capture_output=True, text=True, check=False)
    after, seconds = os.times(), time.perf_counter() - started
    if done.returncode != 0:
        sys.exit(f"make {goal} ended with {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return done.stdout, seconds, cpu


def held(*folders: Path) -> float:
    """Megabytes that folders take of the disk; what is linked twice counts once."""
    files = {(stat.st_dev, stat.st_ino): stat.st_blocks * 512 for stat in _stats(folders)}
    return sum(files.values()) / 1e6


def _stats(folders: tuple[Path, ...]) -> list[os.stat_result]:
    return [path.lstat() for folder in folders for path in folder.rglob("*") if not path.is_dir()]


def machine() -> str:
    """A name that a reader can compare with his own."""
    cpuinfo = Path("/proc/cpuinfo")
    known = re.search(r"model name\s*: (.*)", cpuinfo.read_text()) if cpuinfo.is_file() else None
    return f"{os.cpu_count()} cores of {' '.join(known[1].split()) if known else platform.processor()}"


def build(said: str, figures: dict[str, Any]) -> dict[str, Any]:
    """The build that the demo timed: the model, its parameters, and the seconds."""
    told = re.search(r"built in ([\d.]+) (s|min)", said)
    assert told is not None
    seconds = float(told[1]) * (60 if told[2] == "min" else 1)
    card = ROOT / "edgekit" / "catalog" / "models" / f"{MODEL}.toml"
    parameters = tomllib.loads(card.read_text(encoding="utf-8"))["member"]["decoder"]["parameters"]
    about = {key: figures[key] for key in ("machine", "date")}
    return {"model": MODEL, "parameters": parameters, "seconds": round(seconds), **about}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="edgekit-first-") as folder:
        clone, home = Path(folder, "clone"), Path(folder, "home")
        home.mkdir()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        log, pip_s, pip_cpu_s = timed("demo-env", clone, home)
        said, demo_s, demo_cpu_s = timed("demo", clone, home)
        fetched = sum(float(size) * UNITS[unit] for size, unit in FETCHED.findall(log))
        from_disk = sum(Path(path).stat().st_size for path in FROM_DISK.findall(log))
        environment, rest = held(clone / ".venv"), held(home, clone / "out")
    figures = {
        "machine": machine(),
        "date": time.strftime("%Y-%m-%d"),
        "packages_mb": round((fetched + from_disk) / 1e6),
        "environment_mb": round(environment),
        "disk_mb": round(environment + rest),
        "pip_s": round(pip_s),
        "pip_cpu_s": round(pip_cpu_s),
        "demo_s": round(demo_s),
        "demo_cpu_s": round(demo_cpu_s),
    }
    (ROOT / "scripts" / "demo.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    written = "".join(f"{key} = {json.dumps(value)}\n" for key, value in build(said, figures).items())
    (ROOT / "edgekit" / "fit" / "build.toml").write_text(f"# Written by benchmarks/first_minutes.py.\n{written}")
    print(said)
    print(f"first_minutes: {demo_cpu_s:.0f} s of CPU beyond pip, aim {AIM_S:.0f} s")
    print(json.dumps({"benchmark": "first_minutes", **figures}))


if __name__ == "__main__":
    main()
