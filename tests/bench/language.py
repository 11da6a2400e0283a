"""A real language model by known faults: SmolLM2's float graph, and copies of it that differ in one thing.

A base model is the same without chat template, as no package that was found has the weights of a real one so small.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edgekit import quality, sources, target
from edgekit.contract.manifest import Quality
from edgekit.kinds.llm import LlmContract
from edgekit.quality import GateContext
from edgekit.sources import Source
from tests.bench import faults, table
from tests.olive import tiny_llm

GRAPH, WEIGHTS = "model.onnx", "model.onnx.data"
BASE, CHAT = "base language model", "chat model"
ROTARY = ("cos_cache", "sin_cache")  # tables, no weights
LAYERS = 5, 20  # of 30, which change places
LENGTH = 1024  # tokens of the longest text: half of it is where the gate looks far back


def base(chat: Source, out: Path) -> Source:
    """The same weights without a template: what is measured on plain text alone."""
    out.mkdir(parents=True)
    for path in chat.path.iterdir():
        if path.name != "chat_template.jinja":
            shutil.copyfile(path, out / path.name)
    settings = json.loads((chat.path / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings.pop("chat_template", None)
    _write(out / "tokenizer_config.json", settings)
    return sources.open_source(str(out))


def float_graph(source: Source, out: Path) -> Path:
    """out/model, GenAI's folder of the source in float32, as its graph builder makes it."""
    from onnxruntime_genai.models.builder import create_model

    create_model(None, str(source.path), str(out / "model"), "fp32", "cpu", str(out / "cache"), hf_remote=False)
    return out


def sibling(built: Path, out: Path) -> Path:
    """A copy that may be changed; of links onnx reads no weights."""
    shutil.copytree(built / "model", out / "model")
    return out


def without_template(built: Path) -> None:
    """As a base model's folder is."""
    (built / "model" / "chat_template.jinja").unlink(missing_ok=True)
    _change(built / "model" / "tokenizer_config.json", lambda settings: settings.pop("chat_template", None))


def constant_answers(built: Path) -> None:
    """Every next token is as likely as any other, whatever it reads."""
    model = onnx.load(built / "model" / GRAPH, load_external_data=False)
    name = faults.own_output(model.graph)
    zero = numpy_helper.from_array(np.float32(0), "zero")
    model.graph.initializer.append(zero)
    model.graph.node.append(helper.make_node("Mul", ["own_output", "zero"], [name]))
    onnx.save(model, built / "model" / GRAPH)


def swapped_layers(built: Path) -> None:
    """The weights of two layers in each other's place."""
    model = onnx.load(built / "model" / GRAPH, load_external_data=False)
    names = {at: f"model.layers.{at}." for at in LAYERS}
    for tensor in model.graph.initializer:
        for here, there in (LAYERS, LAYERS[::-1]):
            if tensor.name.startswith(names[here]):
                tensor.name = names[there] + tensor.name.removeprefix(names[here])
                break
    onnx.save(model, built / "model" / GRAPH)


def rounded_weights(built: Path, levels: int) -> None:
    """As faults.rounded_weights, in a file of its own."""
    model = onnx.load(built / "model" / GRAPH)
    faults.round_all(model, levels, kept=ROTARY)
    (built / "model" / WEIGHTS).unlink()
    onnx.save(model, built / "model" / GRAPH, save_as_external_data=True, location=WEIGHTS)


def other_vocabulary(built: Path) -> None:
    """Every token has the next one's id: the tokenizer of another model of this size."""

    def turn(tokenizer: dict[str, Any]) -> None:
        special = {token["id"] for token in tokenizer["added_tokens"]}
        plain = {text: at for text, at in tokenizer["model"]["vocab"].items() if at not in special}
        ids = list(plain.values())
        tokenizer["model"]["vocab"] |= dict(zip(plain, ids[1:] + ids[:1], strict=True))

    _change(built / "model" / "tokenizer.json", turn)


def other_template(built: Path) -> None:
    """Another family's chat template."""
    (built / "model" / "chat_template.jinja").write_text(tiny_llm.PHI3, encoding="utf-8")


def _change(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    _write(path, content)


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


FAULTS: dict[str, Callable[[Path], None]] = {
    "constant": constant_answers,
    "swapped": swapped_layers,
    "two bits": lambda built: rounded_weights(built, 4),
    "other labels": other_vocabulary,
    "good": lambda built: rounded_weights(built, 4096),
}


def judged(kind: str, source: Source, built: Path, fault: str, work: Path) -> Quality:
    """The verdict of int8's limits on a copy of `built` with this fault.

    Of a fault no gate is run beyond the one whose metric must be first: what fails later cannot be it. A good bundle is
    looked at as long as a user's: of the sixteen answers of a quick look one is all that a rate may lose.
    """
    last = upto(table.FIRST[kind, fault]) if (kind, fault) in table.FIRST else quality.gates
    facts = source.model.llm
    assert facts is not None
    changed, prefix = sibling(built, work / "built"), facts.prefix_token_ids
    if kind == BASE:
        without_template(changed)
    if fault != "preprocessing":
        FAULTS[fault](changed)
    elif kind == BASE:
        prefix = (*prefix, facts.eos_token_ids[0])
    else:
        other_template(changed)
    contract = LlmContract(
        eos_token_ids=facts.eos_token_ids,
        context_length=facts.context_length,
        max_length=LENGTH,
        vocab_size=facts.vocab_size,
        prefix_token_ids=prefix,
    )
    ctx = GateContext(
        source=source,
        staged=changed,
        model_path="model",
        contract=contract,
        target=target.load("linux-cpu"),
        precision="int8",
        work=work / "gate",
        mode="default" if fault == "good" else "fast",
    )
    with mock.patch.object(quality, "gates", last):
        verdict = quality.gate(ctx)
    shutil.rmtree(changed)  # half a gigabyte
    return verdict


def upto(metric: str) -> Callable[[str], dict[str, quality.Gate]]:
    """The gates of language models up to the one that measures this metric."""
    gates = quality.gates("llm")
    last = next(at for at, gate in enumerate(gates.values()) if metric in (known.name for known in gate.METRICS))
    return lambda kind: dict(list(gates.items())[: last + 1])
