"""A LoRA that PEFT saved is read as what it is, and refused where PEFT would pass over what is wrong."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import SourceError, UsageError
from edgekit.sources import adapted, open_source
from edgekit.sources.facts import adapter
from tests.unit.sources.tiny_loras import CONFIG, WEIGHTS, key, save_lora
from tests.unit.sources.tiny_models import HIDDEN, LAYERS, save_llama, save_safetensors

pytestmark = pytest.mark.unit


def test_what_a_folder_says(tmp_path: Path) -> None:
    folder = save_lora(tmp_path / "polite", base_model_name_or_path="org/Tiny-Base", lora_alpha=8)
    source = adapted(open_source(str(save_llama(tmp_path / "tiny-base"))), [f"polite={folder}"], merge=False)
    [facts] = source.model.adapters
    assert (facts.name, facts.base, facts.rank, facts.alpha) == ("polite", "org/Tiny-Base", 2, 8)
    assert facts.modules == ("q_proj", "v_proj") and len(facts.sha256) == 64
    [lora] = source.adapters
    assert set(lora.scales.values()) == {4.0} and len(lora.scales) == 2 * LAYERS
    a, b = lora.matrices("model.layers.1.self_attn.v_proj")
    assert a.shape == (2, HIDDEN) and b.shape == (HIDDEN // 2, 2) and a.dtype == b.dtype == np.float32
    told = "the adapter polite (rank 2 of q_proj, v_proj; trained on org/Tiny-Base)"
    assert source.origin == (f"{told}, beside the weights, chosen at run time",)


def test_ranks_of_a_pattern_and_rank_stabilized_scales(tmp_path: Path) -> None:
    base = open_source(str(save_llama(tmp_path / "base")))
    more = {"rank_pattern": {"v_proj": 4}, "use_rslora": True, "lora_alpha": 6}
    folder = save_lora(tmp_path / "a", ranks={"v_proj": 4}, **more)
    [lora] = adapted(base, [f"a={folder}"], merge=False).adapters
    at = "model.layers.0.self_attn"
    assert lora.scales[f"{at}.q_proj"] == pytest.approx(6 / math.sqrt(2)) and lora.scales[f"{at}.v_proj"] == 3.0


def test_bfloat16_matrices_are_read(tmp_path: Path) -> None:
    base = open_source(str(save_llama(tmp_path / "base")))
    [lora] = adapted(base, [f"a={save_lora(tmp_path / 'a', dtype='BF16')}"], merge=False).adapters
    a, _ = lora.matrices("model.layers.0.self_attn.q_proj")
    assert np.abs(a).max() > 0 and np.array_equal(a.view(np.uint32) & 0xFFFF, np.zeros(a.shape, np.uint32))


def test_a_base_of_another_name_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = open_source(str(save_llama(tmp_path / "tiny")))
    adapted(base, [f"a={save_lora(tmp_path / 'a', base_model_name_or_path='/models/Other-1B')}"], merge=False)
    assert "the adapter a was trained on /models/Other-1B, this is tiny" in capsys.readouterr().err


def _said(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "adapter_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def _weights(*, without: str = "", **shapes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        own = {key("q_proj", part): shape for part, shape in (("A", (2, HIDDEN)), ("B", (HIDDEN, 2)))}
        kept = {name: shape for name, shape in (own | shapes).items() if name != without}
        save_safetensors(folder / WEIGHTS, kept, "F32")

    return change


def _values(value: float) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        raw = bytearray((folder / WEIGHTS).read_bytes())
        begin = 8 + int.from_bytes(raw[:8], "little")
        raw[begin:] = np.full((len(raw) - begin) // 4, value, np.float32).tobytes()
        (folder / WEIGHTS).write_bytes(raw)

    return change


def _pickled(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "adapter_model.bin")


BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "no folder": (shutil.rmtree, "has no folder"),
    "no configuration": (lambda folder: (folder / "adapter_config.json").unlink(), "no adapter_config.json"),
    "no weights": (lambda folder: (folder / WEIGHTS).unlink(), f"no {WEIGHTS}"),
    "pickled weights": (_pickled, "is pickled"),
    "cut weights": (lambda folder: (folder / WEIGHTS).write_bytes(b"\x08"), "damaged"),
    "another method": (_said(peft_type="IA3"), "is IA3, no LORA"),
    "another task": (_said(task_type="SEQ_CLS"), "for the task SEQ_CLS"),
    "DoRA": (_said(use_dora=True), "use_dora = true"),
    "whole modules": (_said(modules_to_save=["lm_head"]), "modules_to_save"),
    "biases": (_said(bias="lora_only"), "bias"),
    "a pattern of alphas": (_said(alpha_pattern={"q_proj": 1}), "alpha_pattern"),
    "layers that are copied": (_said(layer_replication=[[0, 2]]), "layer_replication"),
    "a setting of another release": (_said(use_magic=True), "use_magic = true"),
    "no alpha": (_said(lora_alpha=None), "impossible"),
    "another rank than is said": (_said(r=8), "has rank 2, adapter_config.json says 8"),
    "another base's widths": (_weights(**{key("q_proj", "B"): (HIDDEN + 2, 2)}), "is of another model"),
    "another base's layers": (
        _weights(**{key("q_proj", part, layer=LAYERS): (2, 2) for part in "AB"}),
        f"changes model.layers.{LAYERS}.self_attn.q_proj",
    ),
    "the embeddings": (
        _weights(**{f"base_model.model.model.embed_tokens.lora_{part}.weight": (2, 2) for part in "AB"}),
        "changes model.embed_tokens",
    ),
    "a matrix alone": (_weights(without=key("q_proj", "B")), "one matrix of two"),
    "two ranks": (_weights(**{key("q_proj", "B"): (HIDDEN, 3)}), "have ranks 2 and 3"),
    "what no LoRA has": (_weights(**{"base_model.model.model.norm.weight": (HIDDEN,)}), "no matrix of a LoRA"),
    "no numbers": (_values(math.nan), "no numbers"),
    "untrained": (_values(0.0), "changes nothing"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("merge", [False, True], ids=["beside", "merged"])
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, name: str, merge: bool) -> None:
    change, said = BAD[name]
    folder = save_lora(tmp_path / "a")
    change(folder)
    base = open_source(str(save_llama(tmp_path / "base")))
    with pytest.raises(SourceError) as error:
        adapted(base, [f"a={folder}"], merge=merge)
    assert error.value.exit_code == 4 and said in error.value.message and error.value.next
    assert "\n" not in error.value.message and ("adapter a" in error.value.message or WEIGHTS in error.value.message)


@pytest.mark.parametrize(
    ("words", "merge", "said"),
    [
        (["polite"], False, "no NAME=FOLDER"),
        (["=x"], False, "no NAME=FOLDER"),
        (["../a=x"], False, "no NAME=FOLDER"),
        (["Polite=x"], False, "no NAME=FOLDER"),
        (["a=x", "a=y"], False, "two adapters are called a"),
        (["a=x", "b=y"], True, "--merge-adapter puts one"),
        ([], True, "--merge-adapter puts one"),
    ],
)
def test_words_that_name_no_adapter(tmp_path: Path, words: list[str], merge: bool, said: str) -> None:
    base = open_source(str(save_llama(tmp_path / "base")))
    with pytest.raises(UsageError, match=said.replace("-", "[-]")) as error:
        adapted(base, words, merge=merge)
    assert error.value.exit_code == 2


def test_the_settings_that_are_known_are_those_of_peft() -> None:
    assert not {*CONFIG} - {*adapter.READ, *adapter.TRAINING, *adapter.PLAIN}


def test_a_merged_model_has_a_name_of_its_own_and_is_merged_late(tmp_path: Path) -> None:
    base = open_source(str(save_llama(tmp_path / "base")))
    source = adapted(base, [f"polite={save_lora(tmp_path / 'p')}"], merge=True)
    assert source.model.name == "base-polite" and source.model.adapters == () and source.to_merge is not None
    assert "merged into the weights by PEFT" in source.origin[-1]
