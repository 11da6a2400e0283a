"""The table of decoders that can be built, and that a folder of any other is refused at once, code or no code."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import get_args

import pytest

from edgekit.errors import SourceError
from edgekit.jobs.gguf import ARCHITECTURES
from edgekit.sources import open_source
from edgekit.sources.facts import architectures
from edgekit.sources.facts.architectures import TABLE, Answer
from tests.unit.sources.tiny_models import save_llama

pytestmark = pytest.mark.unit
NO = [name for name, row in TABLE.items() if row.answer == "no"]
DOCS = Path(__file__).parents[4] / "docs"


@pytest.mark.parametrize("name", [*NO, "GPT2LMHeadModel", "OddForCausalLM"])
@pytest.mark.parametrize("own_code", [False, True])
def test_what_cannot_be_built_is_refused_on_opening_before_trust_is_asked(
    tmp_path: Path, name: str, own_code: bool
) -> None:
    config = {"architectures": [name], "model_type": "odd"}
    config |= {"auto_map": {"AutoModelForCausalLM": "modeling_odd.Odd"}} if own_code else {}
    folder = save_llama(tmp_path / "m", config)
    for trusted in (False, True):
        with pytest.raises(SourceError) as error:
            open_source(str(folder), trust_remote_code=trusted)
        assert error.value.exit_code == 4
        assert error.value.message == f"{name} cannot be built: {architectures.of(name).reason}"
        assert error.value.next and "trust" not in error.value.next


def test_only_the_configuration_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["PhiMoEForCausalLM"]}))
    with pytest.raises(SourceError, match="mixture of experts"):
        open_source(str(tmp_path))


def test_every_row_says_what_its_answer_needs() -> None:
    assert {row.answer for row in TABLE.values()} == set(get_args(Answer))
    for name, row in TABLE.items():
        assert bool(row.reason) == (row.answer != "builds"), name
        assert bool(row.next) == (row.answer == "no"), name


def test_what_a_gguf_becomes_can_be_built() -> None:
    assert {named for named, _ in ARCHITECTURES.values()} <= set(architectures.built())


@pytest.mark.parametrize("ref", ["phi-silica", "Phi-3-Silica", "hf:microsoft/phi-silica", "phi3.5silica"])
def test_phi_silica_is_named_for_what_it_is(ref: str) -> None:
    with pytest.raises(SourceError, match="Phi Silica cannot be built: it is part of Windows") as error:
        open_source(ref)
    assert error.value.exit_code == 4 and "Windows App SDK" in error.value.next


def test_a_folder_of_that_name_is_what_its_configuration_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_llama(tmp_path / "phi-silica")
    monkeypatch.chdir(tmp_path)
    assert open_source("./phi-silica").model.architecture == "LlamaForCausalLM"
    with pytest.raises(SourceError, match="also a file or folder here"):
        open_source("phi-silica")


def test_the_docs_have_every_row() -> None:
    spec = importlib.util.spec_from_file_location("docs_tables", DOCS / "tables.py")
    assert spec and spec.loader
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    text = (DOCS / "models.md").read_text(encoding="utf-8")
    assert tables.models(text) == text, "a row changed: run make docs, and read the page"
    assert all(f"| `{name}` | {row.answer} |" in text for name, row in TABLE.items())
