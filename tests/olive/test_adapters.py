"""Adapters beside GenAI's own graphs give what PEFT gives, token for token, switched in one process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit import adapters
from edgekit.adapters import files
from edgekit.errors import BuildError
from edgekit.jobs import merge
from edgekit.quality._session import Session
from edgekit.sources import Source, adapted, open_source
from edgekit.wrappers.python.manifest import adapter as file_of
from tests.olive import tiny_llm

pytestmark = pytest.mark.olive

PROMPT = [5, 17, 300, 42, 7, 99, 256, 11]
NEW = 24
MODULES = {
    "phi3": ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"],  # fused in the checkpoint, apart in the graph
    "llama": ["k_proj", "v_proj", "up_proj"],  # apart in the checkpoint, fused in the graph
}


@dataclass(frozen=True)
class Tuned:
    """A float32 model of GenAI's builder with two adapters, and what PEFT answers with each."""

    source: Source
    folder: Path
    built: Path
    logits: dict[str, Any]
    answers: dict[str, list[int]]


@pytest.fixture(scope="module", params=MODULES)
def tuned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    import torch
    from onnxruntime_genai.models.builder import create_model
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import AutoModelForCausalLM

    place = tmp_path_factory.mktemp(request.param)
    base, built = getattr(tiny_llm, request.param)(place / "base"), place / "built"
    words, logits, answers = [], {}, {}
    ids = torch.tensor([PROMPT])

    def asked(model: Any, name: str) -> None:
        with torch.inference_mode():
            logits[name] = model(ids).logits[0].numpy()
            said = model.generate(input_ids=ids, attention_mask=ids * 0 + 1, max_new_tokens=NEW, do_sample=False)
        answers[name] = said[0, len(PROMPT) :].tolist()

    asked(AutoModelForCausalLM.from_pretrained(base).eval(), "")
    for seed, (name, rank) in enumerate({"polite": 4, "terse": 6}.items()):
        torch.manual_seed(seed)
        lora = LoraConfig(r=rank, lora_alpha=8, target_modules=MODULES[request.param], init_lora_weights=False)
        get_peft_model(AutoModelForCausalLM.from_pretrained(base), lora).save_pretrained(place / name)
        asked(PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), place / name).eval(), name)
        words.append(f"{name}={place / name}")
    create_model(None, str(base), str(built), "fp32", "cpu", str(place / "cache"))
    source = adapted(open_source(str(base)), words, merge=False)
    for _ in range(2):  # what the gate refuses of a cache is made again in the same place
        folder = adapters.put_beside({"portable": built}, source, place)["portable"]
    for path in [path for path in folder.iterdir() if path.is_symlink()]:  # as staging copies them
        real = path.resolve()
        path.unlink()
        os.link(real, path)
    return Tuned(source, folder, built, logits, answers)


def answers(folder: Path, *names: str) -> Iterator[list[int]]:
    """Greedy answers of one open model, with each adapter in turn; "" has none on."""
    import onnxruntime_genai as og

    model = og.Model(str(folder))
    worn = og.Adapters(model)
    for name in sorted({*names} - {""}):
        worn.load(str(folder / file_of(name)), name)
    for name in names:
        params = og.GeneratorParams(model)
        params.set_search_options(do_sample=False, max_length=len(PROMPT) + NEW)
        generator = og.Generator(model, params)
        if name:
            generator.set_active_adapter(worn, name)
        generator.append_tokens(np.array(PROMPT, np.int32))
        while not generator.is_done():
            generator.generate_next_token()
        yield [int(token) for token in generator.get_sequence(0)[len(PROMPT) :]]


def test_each_adapter_gives_what_peft_gives_in_one_process(tuned: Tuned) -> None:
    names = "polite", "terse", "", "polite"
    assert len({tuple(tuned.answers[name]) for name in names}) == 3  # three models that differ
    for name, answer in zip(names, answers(tuned.folder, *names), strict=True):
        wanted = tuned.answers[name]
        assert answer == wanted[: len(answer)] and set(wanted[len(answer) :]) <= {0, 2}  # the engine leaves ends out


def test_the_logits_are_those_of_peft_and_without_an_adapter_those_of_the_base(tuned: Tuned) -> None:
    for name in ("polite", "terse"):
        seen = Session(tuned.folder, str(tuned.folder / file_of(name))).logits(PROMPT)
        assert np.abs(seen - tuned.logits[name]).max() < 1e-3 < np.abs(seen - tuned.logits[""]).max()
    assert np.array_equal(Session(tuned.folder).logits(PROMPT), Session(tuned.built).logits(PROMPT))


def test_a_damaged_file_shows(tuned: Tuned, tmp_path: Path) -> None:
    """Halves of B exchanged: of the right size and form, and another model."""
    import onnxruntime

    path = tuned.folder / file_of("polite")
    values = onnxruntime.AdapterFormat.read_adapter(str(path)).get_parameters()
    turned = {name: np.ascontiguousarray(value.numpy()[:, ::-1]) for name, value in values.items()}
    made = onnxruntime.AdapterFormat()
    made.set_parameters({name: onnxruntime.OrtValue.ortvalue_from_numpy(value) for name, value in turned.items()})
    made.export_adapter(str(tmp_path / "bad.onnx_adapter"))
    seen = Session(tuned.folder, str(tmp_path / "bad.onnx_adapter")).logits(PROMPT)
    assert np.abs(seen - tuned.logits["polite"]).max() > 0.1


def test_a_graph_without_the_projections_is_refused(tuned: Tuned, tmp_path: Path) -> None:
    import onnx

    proto = onnx.load(str(tuned.built / "model.onnx"), load_external_data=False)
    for node in proto.graph.node:
        node.name = f"n_{node.name}"
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises(BuildError, match=r"no place for an adapter of model\.layers\.0") as error:
        adapters.put_beside({"portable": tmp_path}, tuned.source, tmp_path)
    assert error.value.exit_code == 5 and "--merge-adapter" in error.value.next


def test_peft_merges_what_it_answers(tuned: Tuned, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    lora, out = tuned.source.adapters[0], tmp_path / "merged"
    out.mkdir()
    told: list[str] = []
    asked = {"adapter": str(lora.path), "adapter_sha256": "", "trust_remote_code": False}
    merge.convert(tuned.source.path, out, told.append, **asked)
    with torch.inference_mode():
        seen = AutoModelForCausalLM.from_pretrained(out)(torch.tensor([PROMPT])).logits[0].numpy()
    assert np.abs(seen - tuned.logits["polite"]).max() < 1e-3
    config = "config.json"
    assert (out / config).read_bytes() == (tuned.source.path / config).read_bytes()
    assert open_source(str(out)).model.llm == tuned.source.model.llm


def test_ranks_stand_one_behind_the_other(tuned: Tuned) -> None:
    lora = tuned.source.adapters[1]
    base = adapters.safetensors.read_folder(tuned.source.path)
    for place in adapters.graph.open_up(tuned.built / "model.onnx", tuned.folder / "again", [lora], base):
        down, up = files._matrices(lora, place)
        count = sum(piece.module in lora.scales for piece in place.pieces)
        assert down.shape == (place.width, 6 * count) and up.shape == (6 * count, place.rows)
