"""Run a bundle once on this machine: stream an answer, or feed it tensors, pictures, sound or text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit import console
from edgekit.commands._places import PLACE

if TYPE_CHECKING:
    from edgekit.contract.manifest import Manifest

SHOWN = 20  # calls in the text; --json has all
TIMEOUT = 24 * 3600.0  # seconds; an answer on a slow machine may take long, and Ctrl-C ends it


@click.command()
@click.argument("bundle", type=PLACE)
@click.argument("prompt", required=False)
@click.option("--system", help="A system message before the prompt.")
@click.option("--raw", is_flag=True, help="Give the prompt as it is, without the chat template.")
@click.option("--no-think", "no_think", is_flag=True, help="Have the chat template leave out thoughts.")
@click.option("--adapter", help="Put this adapter of the bundle on; edgekit inspect lists them.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Of the answer, thoughts included.")
@click.option("--temperature", type=click.FloatRange(min=0), help="0 is greedy; like the next four, else the bundle's.")
@click.option("--top-k", type=click.IntRange(min=1))
@click.option("--top-p", type=click.FloatRange(0, 1, min_open=True))
@click.option("--min-p", type=click.FloatRange(0, 1))
@click.option("--repetition-penalty", type=click.FloatRange(min=0, min_open=True))
@click.option("--seed", type=int, help="Of the sampling.")
@click.option("--stop", multiple=True, help="End the answer before this text; repeatable.")
@click.option("--json-schema", type=PLACE, help="A JSON schema file that the answer must fit.")
@click.option("--tools", type=PLACE, help="A JSON file of functions that the answer may call.")
@click.option(
    "--call",
    "program",
    metavar="COMMAND",
    help="Run for each call, without a shell: reads it as JSON, writes what the function says; else calls are printed.",
)
@click.option("--call-timeout", type=click.FloatRange(min=0.1), default=30.0, show_default=True, help="Seconds.")
@click.option(
    "--tool-choice",
    type=click.Choice(["auto", "required", "unguided"]),
    default="auto",
    show_default=True,
    help="Text or a call that fits its schema; a call only; whatever comes.",
)
@click.option(
    "--input", "inputs", multiple=True, help="FILE or NAME=FILE: .npy, .npz, a picture, .wav or .txt; repeatable."
)
@click.option("-o", "--output", "out", type=PLACE, help="Write the output tensors to this .npz.")
@click.option(
    "--speculate",
    type=click.Choice(["ngram"]),
    help="Guess what the answer repeats of its own text, several tokens a pass; needs onnxruntime-genai 0.16.",
)
@click.option("--variant", help="A variant of the bundle by name; else the first that runs here.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of one operator; the engine chooses by default.")
@click.option(
    "--trust-bundle-code", "trust", is_flag=True, help="Execute the runtime that lies in the bundle, not edgekit's."
)
def command(bundle: Path, prompt: str | None, inputs: tuple[str, ...], out: Path | None, **options: Any) -> None:
    """Run BUNDLE on this machine.

    A language model answers PROMPT ("-" reads stdin) and streams its answer; with --json each event is a line. Any
    other model takes --input and prints what came out.
    """
    from edgekit.commands import _bundle

    _bundle.folder(bundle, "run")
    with _bundle.unchanged(bundle) as still:
        _run(bundle, prompt, inputs, out, {**options, "still": still})


def _run(bundle: Path, prompt: str | None, inputs: tuple[str, ...], out: Path | None, options: dict[str, Any]) -> None:
    from edgekit.bundle.verify import verified
    from edgekit.errors import UsageError

    manifest = verified(bundle, roles=("model", "runtime"), allow_stripped=True, trust=options["trust"])
    if manifest.variants[0].form == "genai":
        if prompt is None or inputs or out is not None:
            raise UsageError(f"{manifest.name} is a language model", next=f'edgekit run {bundle} "your prompt"')
        _generate(bundle, manifest, _stdin() if prompt == "-" else prompt, options)
    else:
        if prompt is not None or not inputs:
            raise UsageError(f"{manifest.name} takes tensors, not a prompt", next=f"edgekit run {bundle} --input FILE")
        _infer(bundle, manifest, inputs, out, options)


def _generate(bundle: Path, manifest: Manifest, prompt: str, options: dict[str, Any]) -> None:
    from edgekit.commands import _calling

    messages = [{"role": "system", "content": options["system"]}] if options["system"] else []
    messages.append({"role": "user", "content": prompt})
    named = ("max_tokens", "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "seed", "speculate")
    request = {
        "action": "generate",
        **({"prompt": prompt} if options["raw"] else {"messages": messages}),
        **{name: options[name] for name in named if options[name] is not None},
        "stop": list(options["stop"]),
        "json_schema": _file(options["json_schema"], "a JSON schema"),
        "tools": _tools(options["tools"]),
        "call": options["tool_choice"],
        "think": not options["no_think"],
        **({"adapter": options["adapter"]} if options["adapter"] is not None else {}),
    }
    program = _calling.command(options["program"])

    def ask(asked: dict[str, Any]) -> dict[str, Any]:
        return _answer(bundle, manifest, asked, options)

    _calling.converse(ask, request, program, options["call_timeout"])


def _answer(bundle: Path, manifest: Manifest, request: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """One answer, shown while it comes; its thoughts are dimmed."""
    from edgekit.results import metrics as m

    thought = False  # the last piece was of one

    def show(event: dict[str, Any]) -> None:
        nonlocal thought
        if console.json_mode():
            console.event(event)
            return
        if thought and event["event"] != "thought":
            console.thought("\n")
        thought = event["event"] == "thought"
        if event["event"] == "call":
            console.stream(json.dumps({"name": event["name"], "arguments": event["arguments"]}, ensure_ascii=False))
            console.stream("\n")
        else:
            (console.thought if event["event"] == "thought" else console.stream)(str(event.get("text", "")))

    outcome = _job(bundle, manifest, request, options, show)
    if console.json_mode():
        console.event({"event": "end", **outcome})
        return outcome
    console.stream("\n")
    tps = outcome[m.DECODE_TPS.name]
    speed = f", {tps:.1f} tokens/s" if tps else ""
    if outcome.get("passes"):  # a bundle's own runtime may be older
        speed += f", {(outcome['tokens'] - 1) / outcome['passes']:.1f} tokens a pass"
    ended = {"length": "cut at --max-tokens", "max_length": "the bundle's limit is reached"}.get(outcome["reason"], "")
    console.say(
        f"{outcome['prompt_tokens']} + {outcome['tokens']} tokens, first after {outcome[m.TTFT_MS.name]:.0f} ms{speed}"
        + (f"; {ended}" if ended else "")
    )
    return outcome


def _infer(bundle: Path, manifest: Manifest, words: tuple[str, ...], out: Path | None, options: dict[str, Any]) -> None:
    import tempfile

    from edgekit import output
    from edgekit.inputs import given, outputs, streams
    from edgekit.wrappers.python import npz

    if out is not None:
        output.check(out)
    calls = given.feeds(manifest.model, words, bundle / manifest.variants[0].path)
    with tempfile.TemporaryDirectory() as folder:
        files = {"inputs": Path(folder) / "in.npz", "outputs": Path(folder) / "out.npz"}
        npz.write(
            files["inputs"], {f"{at}.{name}": array for at, feed in enumerate(calls) for name, array in feed.items()}
        )
        request = {"action": "tensors", "states": streams.states(manifest.model)}
        found = _job(bundle, manifest, request | {name: str(path) for name, path in files.items()}, options)
        arrays = npz.read(files["outputs"])
    if out is not None:
        with output.file(out) as new:
            npz.write(new, arrays)
    answers = [
        {name.partition(".")[2]: array for name, array in arrays.items() if name.partition(".")[0] == str(at)}
        for at in range(len(calls))
    ]
    shown = [
        outputs.describe(answer, getattr(manifest.contract, "decode", "none"), found["labels"]) for answer in answers
    ]
    if console.json_mode():
        calls_data = [{"latency_ms": ms, "outputs": one} for ms, one in zip(found["latency_ms"], shown, strict=True)]
        data = {"calls": calls_data, "file": str(out) if out else None, "runtime": found["runtime"]}
        console.document("edgekit.run/1", data)
        return
    rows = [
        [str(at), one["name"], one["dtype"], "x".join(map(str, one["shape"])), one["text"]]
        for at, call in enumerate(shown[:SHOWN])
        for one in call
    ]
    console.table(manifest.name, ["call", "output", "type", "shape", "content"], rows)
    if len(shown) > SHOWN:
        console.out(f"and {len(shown) - SHOWN} calls more; --json shows all")
    if out is not None:
        console.out(f"written: {out}")


def _job(
    bundle: Path,
    manifest: Manifest,
    request: dict[str, Any],
    options: dict[str, Any],
    on_event: Any = lambda event: None,
) -> dict[str, Any]:
    import tempfile

    from edgekit import tools
    from edgekit.bundle import runtime

    how = runtime.command(bundle, trust=options["trust"])
    foreign = runtime.foreign(manifest)
    if foreign:
        console.warn(
            f"this bundle is for {manifest.target.os}; it runs here through {how.whose} runtime, for its output"
        )
    elif options["trust"]:
        console.warn(f"it runs through {how.whose} runtime")
    common = {"bundle": str(bundle.absolute()), "foreign": foreign}
    full = {**common, "variant": options["variant"], "threads": options["threads"], **request}
    loaded = False

    def on_loaded(event: dict[str, Any]) -> None:
        nonlocal loaded
        if not loaded:  # what was swapped between verifying and opening says nothing at all
            options["still"]()
        loaded = True
        on_event(event)

    with tempfile.TemporaryDirectory() as folder:
        found = tools.job(
            how.argv, full, Path(folder), timeout=TIMEOUT, what="the runtime", on_event=on_loaded, env=how.env
        )
    options["still"]()
    return {**found, "runtime": how.whose}


def _file(path: Path | None, what: str) -> Any:
    from edgekit import strangers
    from edgekit.errors import UsageError

    if path is None:
        return None
    try:
        return strangers.from_json(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is not readable JSON: {error}", next=f"give a file with {what}") from None


def _tools(path: Path | None) -> list[dict[str, Any]]:
    """Functions as the chat template takes them: [{"type": "function", "function": {...}}, ...]."""
    from edgekit.errors import UsageError

    if path is None:
        return []
    found = _file(path, "a list of functions")
    if not isinstance(found, list) or not all(map(_is_function, found)):
        raise UsageError(
            f"{path} holds no list of functions",
            next='write [{"type": "function", "function": {"name": ..., "parameters": JSON schema}}, ...]',
        )
    return [one if "function" in one else {"type": "function", "function": one} for one in found]


def _is_function(one: Any) -> bool:
    function = one.get("function", one) if isinstance(one, dict) else None
    return isinstance(function, dict) and "name" in function


def _stdin() -> str:
    import sys

    return sys.stdin.read()
