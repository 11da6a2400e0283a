"""`python -m edgekit_runtime REQUEST.json`: one job in a process of its own, by the contract in protocol.py."""

from __future__ import annotations

import platform
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from . import bundle as bundles
from . import kinds, machine, manifest, npz, pages, strict
from .protocol import Emit, serve

if TYPE_CHECKING:
    from .llm import LlmBundle
    from .tensor import TensorBundle

Request = dict[str, Any]
_ROOM = "close other programs, or use a machine with more memory"


def main() -> int:
    """Do the job of the request named on the command line."""
    return serve(act, Path(sys.argv[1]))


def act(request: Request, emit: Emit) -> dict[str, Any]:
    """Do the action of a request and return its outcome."""
    action = ACTIONS.get(request["action"])
    if action is None:
        raise manifest.Refused(f"there is no action {request['action']!r}", code="usage")
    try:
        return action(request, emit)
    except manifest.Refused:
        raise
    except MemoryError as error:
        raise manifest.Refused(f"out of memory: {error}", next=_ROOM, code="build") from error
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        traceback.print_exc()  # into the log
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise manifest.Refused(
            f"the bundle cannot be used: {said}", next="build the bundle again, or fetch it again"
        ) from error


def identify(request: Request, emit: Emit) -> dict[str, Any]:
    """What this machine is."""
    return {"device": machine.facts()}


def load(request: Request, emit: Emit) -> dict[str, Any]:
    """Seconds from a folder to a model that is ready; the engines' own libraries are loaded before.

    Request: evict: first put the model's files out of the page cache.
    """
    found = bundles.find(Path(request["bundle"]), request.get("variant"), foreign=request.get("foreign", False))
    bundles.opener(found)
    cache = "warm: not evicted"
    if request.get("evict"):
        folder = found.model if found.model.is_dir() else found.model.parent
        cache = pages.evict(path for path in sorted(folder.rglob("*")) if path.is_file())
    started = perf_counter()
    opened = _open(request)
    return {"load_s": perf_counter() - started, "page_cache": cache, "kind": opened.opened.kind}


def encode(request: Request, emit: Emit) -> dict[str, Any]:
    """The token ids of request["text"]."""
    opened = _open(request)
    if opened.form != "genai":
        raise manifest.Refused("the bundle is no language model", code="usage")
    return {"ids": opened.encode(request["text"])}


def render(request: Request, emit: Emit) -> dict[str, Any]:
    """The prompts of request["conversations"], each with messages and tools, by the bundle's own chat template."""
    opened = _open(request)
    if opened.form != "genai":
        raise manifest.Refused("the bundle is no language model", code="usage")
    asked = [(turn["messages"], turn["tools"] or (), turn.get("think", True)) for turn in request["conversations"]]
    return {"prompts": [opened.render(messages, tools, think=think) for messages, tools, think in asked]}


def calls(request: Request, emit: Emit) -> dict[str, Any]:
    """The function calls in request["answers"], each with its text and the form of its family."""
    from .functions import calls_in

    return {"calls": [calls_in(answer["text"], answer["form"]) for answer in request["answers"]]}


def record(request: Request, emit: Emit) -> dict[str, Any]:
    """Record the goldens of request["plan"] into the file request["goldens"]."""
    from . import goldens

    opened, plan = _open(request), request["plan"]
    arrays = goldens.record(opened, _inputs(request), plan["goldens"]["rule"])
    npz.write(Path(request["goldens"]), arrays)
    return {"recorded": kinds.of(opened.opened.kind).sure(arrays, plan["goldens"]["rule"])}


def goldens(request: Request, emit: Emit) -> dict[str, Any]:
    """Hold the bundle's answers against its goldens."""
    from . import goldens as golden_answers

    folder, plan = Path(request["bundle"]), request["plan"]
    recorded = _sealed(manifest.inside(folder, plan["goldens"]["file"]))
    opened = _open(request)
    with _check_data():
        found = golden_answers.compare(opened, _inputs(request), recorded, plan["goldens"]["rule"])
    if opened.form == "genai" and (asked := plan.get("function_calls")):
        found = golden_answers.with_calls(found, _calls(opened, folder, asked))
    return {"goldens": found, "engines": _engines(opened.form)}


def _calls(opened: LlmBundle, folder: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Ask the first `count` cases of the bundle's function calls."""
    from . import calls

    path = manifest.inside(folder, asked["file"])
    try:
        cases = strict.loads(path.read_bytes())["cases"][: asked["count"]]
        return calls.ask(opened, cases, asked["new_tokens"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        again = "fetch the bundle again, or build it with this edgekit"
        raise manifest.Refused(f"{path.name} cannot be read: {error}", next=again) from None


def bench(request: Request, emit: Emit) -> dict[str, Any]:
    """Measure the workloads of request["plan"]."""
    opened, plan = _open(request), request["plan"]
    inputs = _inputs(request)
    loaded = {"phase": "loaded", "mb": machine.footprint_mb()}

    def tell(text: str) -> None:
        emit("progress", text=text)

    with _check_data():
        measured = kinds.of(opened.opened.kind).bench(opened, inputs, plan["bench"], tell)
    measured["memory"] = [loaded, *measured.get("memory", ())]
    ran = {"variant": opened.opened.variant["name"], "engines": _engines(opened.form)}
    return {**measured, "peak_rss_mb": machine.peak_rss_mb(), **ran}


def generate(request: Request, emit: Emit) -> dict[str, Any]:
    """Answer request["messages"] or request["prompt"]; each piece of text, of a thought, and each call is an event."""
    opened = _open(request)
    if opened.form != "genai":
        raise manifest.Refused("the bundle is no language model", next="give --input FILE", code="usage")
    from .answers import Sampling

    started = perf_counter()
    answer = opened.generate(
        request["prompt"] if request.get("prompt") is not None else request["messages"],
        max_tokens=request.get("max_tokens"),
        sampling=Sampling.of(vars(opened.sampling), **request),
        stop=request.get("stop", ()),
        tools=request.get("tools") or (),
        call=request.get("call") or "auto",
        json_schema=request.get("json_schema"),
        think=request.get("think", True),
        adapter=request.get("adapter"),
        speculate=request.get("speculate"),
    )
    for kind, piece in answer.parts():
        emit("thought" if kind == "thought" else "piece", text=piece)
    for call in answer.calls:
        emit("call", **call)
    first, ended = answer.first_token_s, perf_counter()
    after_first = len(answer.tokens) - 1
    return {
        "reason": answer.reason,
        "prompt_tokens": answer.prompt_tokens,
        "tokens": len(answer.tokens),
        "calls": answer.calls,
        "ttft_ms": ((first or ended) - started) * 1000,
        "decode_tps": after_first / (ended - first) if first and after_first > 0 else None,
        "passes": answer.passes,
    }


def tensors(request: Request, emit: Emit) -> dict[str, Any]:
    """Inferences in their order: feeds ("0.x", "1.x", ...) from the file request["inputs"], outputs likewise.

    Request: states: {input: output}; from the second call on these inputs are the call before's outputs.
    """
    from .goldens import feeds

    opened = _open(request)
    if opened.form != "onnx":
        raise manifest.Refused("the bundle is a language model", next="give a prompt", code="usage")
    states = request.get("states") or {}
    found: npz.Arrays = {}
    outputs: npz.Arrays = {}
    latency = []
    for at, feed in enumerate(feeds(_arrays(Path(request["inputs"])))):
        carried = {name: outputs[output] for name, output in states.items()} if at else {}
        started = perf_counter()
        outputs = opened.run({**feed, **carried})
        latency.append((perf_counter() - started) * 1000)
        found |= {f"{at}.{name}": array for name, array in outputs.items()}
    npz.write(Path(request["outputs"]), found)
    return {"latency_ms": latency, "labels": opened.labels}


ACTIONS: dict[str, Callable[[Request, Emit], dict[str, Any]]] = {
    "identify": identify,
    "load": load,
    "encode": encode,
    "render": render,
    "calls": calls,
    "record": record,
    "goldens": goldens,
    "bench": bench,
    "generate": generate,
    "tensors": tensors,
}


def _open(request: Request) -> LlmBundle | TensorBundle:
    return bundles.open_bundle(
        request["bundle"],
        request.get("variant"),
        threads=request.get("threads"),
        hashes=request.get("hashes", False),
        foreign=request.get("foreign", False),
    )


def _inputs(request: Request) -> npz.Arrays:
    return _sealed(manifest.inside(Path(request["bundle"]), request["plan"]["inputs"]))


@contextmanager
def _check_data() -> Iterator[None]:
    """An input that the model does not take is the bundle's fault where it lies in its check data."""
    from . import goldens

    try:
        yield
    except manifest.Refused as error:
        raise (goldens.unusable(error.message) if error.code == "usage" else error) from None


def _sealed(path: Path) -> npz.Arrays:
    """Arrays of a bundle; a file that claims more than it holds is refused before numpy makes room for it."""
    if path.is_file():
        with path.open("rb") as stream:
            if why := next(npz.faults(stream), ""):
                raise manifest.Refused(f"{path.name} cannot be read: {why}", next="fetch the bundle again")
    return _arrays(path)


def _arrays(path: Path) -> npz.Arrays:
    try:
        return npz.read(path)
    except (OSError, ValueError) as error:
        raise manifest.Refused(f"{path.name} cannot be read: {error}", next="fetch the bundle again") from None


def _engines(form: str) -> dict[str, str]:
    """The versions of what ran; a language model's ONNX Runtime is GenAI's."""
    named = {"python": platform.python_version()}
    for package in ("numpy", "onnxruntime", "onnxruntime_genai"):
        if package in sys.modules:
            named[package.replace("_", "-")] = manifest.version(package, in_genai=form == "genai")
    return named


if __name__ == "__main__":
    sys.exit(main())
