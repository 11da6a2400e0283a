"""The main job on a real model: build a bundle, check it on this machine, ask it something, and make a page of it.

python scripts/demo.py announce    say what will be downloaded and how long it takes (nothing need be installed)
python scripts/demo.py run         do it, with the edgekit of this interpreter's environment

What is announced was measured by benchmarks/first_minutes.py, on the machine that demo.json names.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MODEL = "smollm2-135m-instruct"
TARGET = "linux-cpu"
QUESTION = "What is the capital of France?"
OUT = Path("out")
BUNDLE = OUT / f"{MODEL}-{TARGET}"
RESULT, PAGE = (BUNDLE.with_name(f"{BUNDLE.name}.{ending}") for ending in ("result.json", "html"))
STEPS = (
    ("build", MODEL, "--target", TARGET, "--effort", "quick", "--quality", "fast", "-o", str(OUT)),
    ("check", str(BUNDLE), "--quick"),
    ("report", str(RESULT), "-o", str(PAGE)),
    ("run", str(BUNDLE), QUESTION),
)
AFTER = (
    ("inspect", str(BUNDLE)),
    ("check", str(BUNDLE), "--budget", "decode_tps:min=20"),
    ("build", MODEL, "--target", "android-cpu", "--effort", "quick", "-o", str(OUT)),
)
MEASURED = Path(__file__).with_name("demo.json")


def announce() -> None:
    """Say what the demo will download, what it takes and how long, before it does anything."""
    it = json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.is_file() else None
    card = tomllib.loads((ROOT / "edgekit" / "catalog" / "models" / f"{MODEL}.toml").read_text(encoding="utf-8"))
    floats, stand_in = 2 * card["member"]["decoder"]["parameters"], card["stand_in"]
    installed = any((ROOT / ".stamps" / name).exists() for name in ("env", "demo"))
    print("This demo downloads")
    if not installed:
        size = f"{it['packages_mb']:.0f} MB of " if it else ""
        print(f"  {size}Python packages, into .venv, with PyTorch for the CPU;")
        print("    several GB more where pip takes PyTorch's CUDA build (README.md says how to have the other)")
    print(f"  {floats / 1e6:.0f} MB of {card['title']}, the float checkpoint {card['ref']};")
    print(f"    where the hub cannot be reached {stand_in['download_bytes'] / 1e6:.0f} MB, {_short(stand_in['what'])}")
    print(_taken(it, installed=installed), flush=True)


def _taken(it: dict[str, Any] | None, *, installed: bool) -> str:
    """Disk and time as benchmarks/first_minutes.py measured them."""
    if it is None:
        return "What disk and time it takes was not measured yet.\n"
    disk = it["disk_mb"] - (it["environment_mb"] if installed else 0)
    return (
        f"and takes {disk:.0f} MB of disk.\nOn {it['machine']} it took {_time(it['pip_s'])} for pip and "
        f"{_time(it['demo_s'])} for the rest ({_time(it['demo_cpu_s'])} of CPU), downloads included.\n"
    )


def run() -> int:
    """Build, check, report, ask; then say what there is now. Returns the exit code of the first step that failed."""
    seconds = []
    for step in STEPS:
        print(f"\n$ edgekit {shlex.join(step)}", flush=True)
        started = time.monotonic()
        code = subprocess.run([sys.executable, "-m", "edgekit", *step], check=False, cwd=ROOT).returncode
        seconds.append(time.monotonic() - started)
        if code != 0:
            print(f"\nthe demo stopped: edgekit {step[0]} ended with exit code {code}", file=sys.stderr)
            return code
    print(f"\nbuilt in {_time(seconds[0])}, checked in {_time(seconds[1])}")
    summary(ROOT / BUNDLE, ROOT / RESULT)
    print(f"\nbundle: {BUNDLE}\nreport: {PAGE}\n\nnext:")
    own = Path(sys.executable).with_name("edgekit")
    for words in AFTER:
        print(f"  {own.relative_to(ROOT) if own.is_relative_to(ROOT) else 'edgekit'} {shlex.join(words)}")
    return 0


def summary(bundle: Path, result: Path) -> None:
    """The figures that the steps left behind, with their verdicts."""
    manifest = json.loads((bundle / "edgekit.json").read_text(encoding="utf-8"))
    report = json.loads(result.read_text(encoding="utf-8"))
    size = sum(file["size"] for file in manifest["files"] if file["role"] == "model")
    rows = [("source", line) for line in manifest["source"]["origin"]]
    rows.append(("recipe", f"{manifest['recipe']['name']}: {manifest['recipe']['summary']}"))
    rows.append(
        ("model files", f"{size / 1e6:.1f} MB (the source holds {manifest['model']['source_bytes'] / 1e6:.1f} MB)")
    )
    for name, line in rows:
        print(f"  {name:<12} {line}")
    figures = [figure for part in (*manifest["quality"].values(), report) for figure in _figures(part)]
    widths = [max(len(figure[column]) for figure in figures) for column in (0, 1)]
    for name, value, verdict in figures:
        print(f"  {name:<{widths[0]}}  {value:>{widths[1]}}  {verdict}")


def _figures(part: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Name, value and verdict of what was measured; what counts for nothing says so."""
    verdicts = {each["metric"]: each["verdict"] for each in part["verdicts"]}
    for each in part["measurements"]:
        if each.get("value") is not None:
            judged = verdicts.get(each["metric"], "reported")
            verdict = judged if each.get("valid", True) else f"invalid: {each.get('reason') or 'see the report'}"
            yield each["metric"], f"{each['value']:.4g}", f"{verdict} ({each['evidence']})"


def _short(what: str) -> str:
    return what.partition(":")[0]


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


if __name__ == "__main__":
    if sys.argv[1:] == ["announce"]:
        announce()
    elif sys.argv[1:] == ["run"]:
        sys.exit(run())
    else:
        sys.exit(__doc__)
