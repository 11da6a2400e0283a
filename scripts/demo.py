"""The main job on a real model: build a bundle, check it on this machine, ask it something.

python scripts/demo.py announce    say how much will be downloaded (any Python 3.11 or later, nothing installed)
python scripts/demo.py run         do it, with the edgekit of this interpreter's environment
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODEL = "smollm2-135m-instruct"
TARGET = "linux-cpu"
QUESTION = "What is the capital of France?"
OUT = ROOT / "out"
# The wheels of `make env` on Linux x86-64, added up from pip's own log, with PyTorch's CPU build.
PACKAGES_MB = 480


def announce() -> None:
    """Say what the demo will download, before it does."""
    env = (ROOT / ".stamps" / "env").exists()
    cache = Path(os.environ.get("EDGEKIT_CACHE", ROOT / ".cache"))
    card = tomllib.loads((ROOT / "edgekit" / "catalog" / "models" / f"{MODEL}.toml").read_text(encoding="utf-8"))
    fetched = any((cache / "downloads").glob("*")) if cache.is_dir() else False
    print("This demo downloads:")
    print(f"  Python packages: {'nothing, they are installed' if env else f'about {PACKAGES_MB} MB, into .venv'}")
    if not env and sys.platform == "linux":
        print("    (several GB more where pip takes PyTorch's CUDA build; README.md says how to have the CPU build)")
    size = f"{card['download_bytes'] / 1e6:.0f} MB"
    print(f"  the model {card['title']}: {size}{', or nothing if it is in the cache' if fetched else ''}")
    print(f"It writes to {ROOT / '.venv'}, {cache} and {OUT}.\n", flush=True)


def run() -> int:
    """Build, check, ask; then say what there is now. Returns the exit code of the first step that failed."""
    bundle = OUT / f"{MODEL}-{TARGET}"
    steps = [
        ["build", MODEL, "--target", TARGET, "-o", str(OUT)],
        ["check", str(bundle)],
        ["run", str(bundle), QUESTION],
    ]
    seconds = []
    for step in steps:
        print(f"\n$ edgekit {shlex.join(step)}", flush=True)
        started = time.monotonic()
        code = subprocess.run([sys.executable, "-m", "edgekit", *step], check=False).returncode
        seconds.append(time.monotonic() - started)
        if code != 0:
            print(f"\nthe demo stopped: edgekit {step[0]} ended with exit code {code}", file=sys.stderr)
            return code
    print()
    summary(bundle, seconds)
    return 0


def summary(bundle: Path, seconds: list[float]) -> None:
    """The figures that the steps left behind, and where they are."""
    manifest = json.loads((bundle / "edgekit.json").read_text(encoding="utf-8"))
    report = bundle.with_name(f"{bundle.name}.result.json")
    size = sum(file["size"] for file in manifest["files"] if file["role"] == "model")
    source = manifest["model"]["source_bytes"]
    print(f"built in {seconds[0]:.0f} s, checked in {seconds[1]:.0f} s")
    print(f"  recipe        {manifest['recipe']['name']}: {manifest['recipe']['summary']}")
    print(f"  model files   {size / 1e6:.1f} MB (the source holds {source / 1e6:.1f} MB)")
    for found in (one for quality in manifest["quality"].values() for one in quality["measurements"]):
        if found.get("value") is not None:
            print(f"  {found['metric']:<13} {found['value']:.4g} ({found['evidence']})")
    for found in json.loads(report.read_text(encoding="utf-8"))["measurements"]:
        if found.get("value") is not None:
            print(f"  {found['metric']:<13} {found['value']:.4g} ({found['evidence']})")
    print(f"\nbundle: {bundle}\nreport: {report}")


if __name__ == "__main__":
    if sys.argv[1:] == ["announce"]:
        announce()
    elif sys.argv[1:] == ["run"]:
        sys.exit(run())
    else:
        sys.exit(__doc__)
