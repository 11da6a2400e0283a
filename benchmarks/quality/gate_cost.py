"""What the gate of a language model costs, beside the quantization it guards, in CPU seconds.

Builds into one fresh cache: the gate off (quantization and sealing, then sealing alone), then `fast` and `default`,
whose float reference is computed the first time, then each again with the reference in the cache, as another recipe or
target finds it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

MODEL = sys.argv[1] if len(sys.argv) > 1 else "smollm2-135m-instruct"


def seconds(cache: str, out: Path, *words: str) -> float:
    """CPU of one build and its children."""
    command = [sys.executable, "-m", "edgekit", "build", MODEL, "--target", "linux-cpu", "--force", "-o", str(out)]
    before = os.times()
    done = subprocess.run([*command, *words], capture_output=True, env={**os.environ, "EDGEKIT_CACHE": cache})
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        cache, out = f"{folder}/cache", Path(folder) / "out"
        seconds(cache, out, "--quality", "off")  # fetches and imports the source too
        for entry in Path(cache, "optimize").iterdir():
            if entry.is_dir():
                subprocess.run(["rm", "-r", str(entry)], check=True)
        found = {"quantize and seal": seconds(cache, out, "--quality", "off")}
        found["seal"] = seconds(cache, out, "--quality", "off")
        for mode in ("fast", "default"):
            found[f"{mode}, first"] = seconds(cache, out, "--quality", mode)
            found[f"{mode}, reference cached"] = seconds(cache, out, "--quality", mode)
    quantize = found["quantize and seal"] - found["seal"]
    for name, value in found.items():
        gate = value - found["seal"]
        beside = f"gate {gate:.0f} s, {gate / quantize:.1f} x the quantization" if "," in name else ""
        print(f"{name:<28} {value:6.1f} s  {beside}")
    print(json.dumps({"model": MODEL, "seconds": found}))


if __name__ == "__main__":
    main()
