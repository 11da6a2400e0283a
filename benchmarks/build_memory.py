"""The memory of a build: anonymous bytes of all its processes at their peak, disk and time, of models of true shape.

python benchmarks/build_memory.py [--shape NAME] [--layers N ...] [--recipe NAME] [--quality off|fast] [--kill]
    [--beside olive,genai] [--work FOLDER] [--out FILE]

Weights are random (--accept-source). `mini` is Phi-4-mini's shape, 3.8 billion parameters; `wide` Phi-4's width, of
which 6 and 12 layers are built; `small` a tenth of the first. Clean pages of mapped files are not counted: the system
takes them back when it wants. --kill ends a first build by SIGKILL in the middle, and shows that the next goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from _common import EDGEKIT, QUIET, ROOT, others

sys.path.insert(0, str(ROOT))

SHAPES = {
    "small": {
        "hidden": 1536,
        "inner": 4096,
        "layers": (6, 12),
        "vocabulary": 48_000,
        "heads": 24,
        "kv": 8,
        "tied": True,
    },
    "mini": {"hidden": 3072, "inner": 8192, "layers": (32,), "vocabulary": 200_064, "heads": 24, "kv": 8, "tied": True},
    "wide": {
        "hidden": 5120,
        "inner": 17_920,
        "layers": (6, 12),
        "vocabulary": 100_352,
        "heads": 40,
        "kv": 10,
        "tied": False,
    },
}
AIM = 10e9  # bytes of anonymous memory, of 3.8 billion parameters
WITHIN = 0.15  # of what the plan says beforehand
EVERY = 0.1  # seconds between two looks
# Olive's own passes on the same workflow: nothing of what edgekit changes in them.
OLIVE = """
import json, sys
from pathlib import Path
from edgekit import plan, sources, target
from edgekit.jobs.olive import builder, checkpoint, run, surgeries
checkpoint.install = lambda folder: None
builder.install = surgeries.install = lambda: None
opened = sources.open_source(sys.argv[1])
made = plan.make(opened.model, target.load("linux-cpu"), recipe=sys.argv[3])
work = Path(sys.argv[2]) / "work"
work.mkdir(parents=True)
request = {"config": made.optimize_step(made.main).config, "source": str(opened.path), "work": str(work),
           "calibration": None, "expected": list(made.expected_files)}
run.optimize(request, lambda event, **data: print(data, flush=True))
"""


@dataclass
class Taken:
    """What a program took at most: bytes of anonymous memory and of disk; seconds; how it ended."""

    anonymous: int = 0
    disk: int = 0
    seconds: float = 0.0
    ended: int = 0
    at: str = ""  # what it said last before it took most

    def line(self) -> str:
        """In words."""
        where = f" ({self.at})" if self.at else ""
        return f"{self.anonymous / 1e9:.2f} GB at most{where}, {self.disk / 1e9:.2f} GB of disk, {self.seconds:.0f} s"


def checkpoint(folder: Path, shape: dict[str, Any], layers: int) -> Path:
    """A Phi3ForCausalLM of random weights in bfloat16, a file for each layer; no two layers have the same weights."""
    import torch
    from safetensors.torch import save_file
    from transformers import Phi3Config

    from tests.olive import tiny_llm

    if (folder / "model.safetensors.index.json").is_file():
        return folder
    tiny_llm.tokenizer(folder, tiny_llm.PHI3)
    hidden, inner, vocabulary = shape["hidden"], shape["inner"], shape["vocabulary"]
    Phi3Config(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=shape["heads"],
        num_key_value_heads=shape["kv"],
        max_position_embeddings=4096,
        original_max_position_embeddings=4096,
        tie_word_embeddings=shape["tied"],
        bos_token_id=0,
        eos_token_id=[2, 0],
        pad_token_id=0,
        sliding_window=None,
        torch_dtype="bfloat16",
        architectures=["Phi3ForCausalLM"],
    ).save_pretrained(folder)
    pool = torch.randn(2**26, generator=torch.Generator().manual_seed(0)).mul_(0.02).bfloat16()
    used, size, places = 0, 0, {}

    def drawn(rows: int, width: int) -> Any:
        nonlocal used
        used += 7919  # the next weights begin elsewhere in the pool
        return pool.roll(used).repeat(-(-rows * width // len(pool)))[: rows * width].reshape(rows, width).clone()

    def put(name: str, tensors: dict[str, Any]) -> None:
        nonlocal size
        save_file(tensors, folder / name, metadata={"format": "pt"})
        places.update(dict.fromkeys(tensors, name))
        size += sum(tensor.nbytes for tensor in tensors.values())

    ones = torch.ones(hidden, dtype=torch.bfloat16)
    head = hidden // shape["heads"]
    ends = {"model.embed_tokens.weight": drawn(vocabulary, hidden), "model.norm.weight": ones}
    put("ends.safetensors", ends | ({} if shape["tied"] else {"lm_head.weight": drawn(vocabulary, hidden)}))
    for number in range(layers):
        at = f"model.layers.{number}"
        weights = {
            "self_attn.qkv_proj": drawn(hidden + 2 * shape["kv"] * head, hidden),
            "self_attn.o_proj": drawn(hidden, hidden),
            "mlp.gate_up_proj": drawn(2 * inner, hidden),
            "mlp.down_proj": drawn(hidden, inner),
            "input_layernorm": ones.clone(),
            "post_attention_layernorm": ones.clone(),
        }
        put(f"layer-{number:03}.safetensors", {f"{at}.{name}.weight": value for name, value in weights.items()})
    told = {"metadata": {"total_size": size}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(told))
    return folder


def watched(command: list[str], home: Path, *, until: Callable[[], bool] = lambda: False, **environment: str) -> Taken:
    """Run a program to its end, or kill all of it when `until` says so; `home` is the folder it writes to."""
    began, before = time.perf_counter(), used(home)
    child = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    taken, said = Taken(), [""]

    def read() -> None:
        assert child.stdout is not None
        for line in child.stdout:
            said[:] = [line.strip()[:60] or said[0]]
            print(f"    {line.rstrip()[:140]}", flush=True)

    reader = threading.Thread(target=read)
    reader.start()
    looked = 0.0
    while child.poll() is None:
        here = anonymous(child.pid)
        if here > taken.anonymous:
            taken.anonymous, taken.at = here, said[0]
        if time.perf_counter() - looked > 1:
            taken.disk, looked = max(taken.disk, used(home) - before), time.perf_counter()
            if until():
                for process in family(child.pid):
                    process.send_signal(signal.SIGKILL)
        time.sleep(EVERY)
    reader.join()
    taken.seconds, taken.ended = time.perf_counter() - began, child.returncode
    return taken


def family(pid: int) -> list[psutil.Process]:
    """A process and all below it, the youngest first."""
    try:
        first = psutil.Process(pid)
        return [*reversed(first.children(recursive=True)), first]
    except psutil.Error:
        return []


def anonymous(pid: int) -> int:
    """Bytes of anonymous memory of a process and all below it; what forked ones share is counted once."""
    total = 0
    for process in family(pid):
        try:
            with Path(f"/proc/{process.pid}/smaps_rollup").open() as file:
                total += sum(int(line.split()[1]) << 10 for line in file if line.startswith("Pss_Anon:"))
        except OSError:  # it has ended
            continue
    return total


def used(folder: Path) -> int:
    """Bytes on disk below a folder; a file of several names is counted once."""
    sizes: dict[int, int] = {}
    for path in folder.rglob("*"):
        try:
            facts = path.lstat()
        except OSError:
            continue
        if path.is_file() and not path.is_symlink():
            sizes[facts.st_ino] = facts.st_blocks * 512
    return sum(sizes.values())


def build(source: Path, home: Path, recipe: str, quality: str, *, kill: bool) -> dict[str, Taken]:
    """What a build took; with `kill` that of one that is ended in the middle and begun again, too."""
    home.mkdir(parents=True)
    options = ["--target", "linux-cpu", "--recipe", recipe, "--quality", quality, "--accept-source"]
    command = [*EDGEKIT, "build", str(source), *options, "-v", "-o", str(home / "out")]
    runs: dict[str, Taken] = {}
    if kill:
        layers = json.loads((source / "config.json").read_text())["num_hidden_layers"]
        middle = f"model.layers.{layers // 2}.*.safetensors"
        half = lambda: any((home / "cache" / "begun").glob(f"*/*/{middle}"))  # noqa: E731
        runs["killed"] = watched(command, home, until=half, EDGEKIT_CACHE=str(home / "cache"))
        print(f"  killed after {runs['killed'].seconds:.0f} s, half of the layers written")
    runs["edgekit"] = watched(command, home, EDGEKIT_CACHE=str(home / "cache"))
    return runs


def planned(source: Path, recipe: str, quality: str) -> dict[str, Any]:
    """What the plan says beforehand of memory and disk."""
    options = [
        "--target",
        "linux-cpu",
        "--recipe",
        recipe,
        "--quality",
        quality,
        "--accept-source",
        "--dry-run",
        "--json",
    ]
    done = subprocess.run([*EDGEKIT, "build", str(source), *options], check=True, stdout=subprocess.PIPE, cwd=ROOT)
    told: dict[str, Any] = json.loads(done.stdout)["data"]
    return told["building"][0]


def beside(name: str, source: Path, home: Path, recipe: str) -> Taken:
    """The same model by Olive's own passes, or by the builder of GenAI alone, which quantizes the float graph."""
    home.mkdir(parents=True)
    if name == "olive":
        return watched([sys.executable, "-c", OLIVE, str(source), str(home), recipe], home, CI="1")
    words = ["-i", str(source), "-o", str(home / "out"), "-c", str(home / "cache"), "-p", "int4", "-e", "cpu"]
    return watched([sys.executable, "-m", "onnxruntime_genai.models.builder", *words], home)


def main() -> int:
    """Build, print, and say whether the aims were reached."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--layers", type=int, nargs="*")
    parser.add_argument("--recipe", default="int4_rtn")
    parser.add_argument("--quality", default="off")
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--beside", default="")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    shape = SHAPES[asked.shape]
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=asked.work) as name:
        for layers in asked.layers or shape["layers"]:
            source = checkpoint((asked.work or Path(name)) / f"{asked.shape}-{layers}", shape, layers)
            plan = planned(source, asked.recipe, asked.quality)
            runs = build(source, Path(name) / f"b{layers}", asked.recipe, asked.quality, kill=asked.kill)
            bundle = used(Path(name) / f"b{layers}" / "out")
            shutil.rmtree(Path(name) / f"b{layers}")
            for other in filter(None, asked.beside.split(",")):
                runs[other] = beside(other, source, Path(name) / other, asked.recipe)
                shutil.rmtree(Path(name) / other)
            for run, taken in runs.items():
                print(
                    f"{asked.shape}, {layers} layers, {asked.recipe}, {run}: {taken.line()}, ended with {taken.ended}"
                )
            rows.append(
                {"layers": layers, "bundle": bundle, "plan": plan, "runs": {k: vars(v) for k, v in runs.items()}}
            )
    return told(asked, rows)


def told(asked: argparse.Namespace, rows: list[dict[str, Any]]) -> int:
    """Print the aims and what was reached; write the results of a quiet machine where a file is named."""
    met = all(row["runs"]["edgekit"]["ended"] == 0 for row in rows)
    for row in rows:
        taken = row["runs"]["edgekit"]
        for what, key in (("anonymous", "memory_bytes"), ("disk", "disk_bytes")):
            said = row["plan"].get(key)
            if said is None:
                print(f"{row['layers']} layers: the plan says nothing of {what}")
                met = False
                continue
            off = abs(said / taken[what] - 1)
            print(f"{row['layers']} layers: {what} {taken[what] / 1e9:.2f} GB, planned {said / 1e9:.2f}: {off:.0%} off")
            met &= off <= WITHIN
    most = max(row["runs"]["edgekit"]["anonymous"] for row in rows)
    print(f"anonymous memory {most / 1e9:.2f} GB at most, aim {AIM / 1e9:.0f}")
    met &= most <= AIM
    if len(rows) == 2:
        grown = rows[1]["runs"]["edgekit"]["anonymous"] - rows[0]["runs"]["edgekit"]["anonymous"]
        larger = rows[1]["bundle"] - rows[0]["bundle"]
        print(f"twice the layers: {grown / 1e9:+.2f} GB of memory, {larger / 1e9:+.2f} GB of bundle, the aim at most")
        met &= grown <= larger
    quiet = others() <= QUIET
    print(f"build_memory: aims {'reached' if met else 'missed'}; quiet: {'yes' if quiet else 'no'}")
    if asked.out is not None and quiet:
        asked.out.write_text(json.dumps({"shape": asked.shape, "recipe": asked.recipe, "rows": rows}, indent=1) + "\n")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
