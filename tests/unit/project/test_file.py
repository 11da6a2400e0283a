"""edgekit.toml: what is read, what is refused and in which words; pairs and how the layers of options win."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit import recipes
from edgekit.errors import EdgekitError, TargetError, UsageError
from edgekit.project import begin, file, pairs
from edgekit.results.metrics import Limit

pytestmark = pytest.mark.unit

WHOLE = """
format = "1.0"
out = "made"
zip = true
targets = ["linux-cpu", "board.toml"]
[devices]
linux-cpu = "local"
[models.ocr]
source = "ocr.onnx"
recipe = "int8_qdq"
calibration = "lines"
limits = { cosine_mean = { min = 0.99 } }
budget = { latency_p90_ms = { max = 20.0 } }
[models.ocr.on."board.toml"]
recipe = "own.py"
limits = { cosine_mean = { min = 0.9 }, sqnr_db = { min = 20 } }
[models.chat]
source = "hf:org/chat"
targets = ["linux-cpu"]
"""
BOARD = 'extends = "linux-arm64"\nname = "board"\ntitle = "Ours"\n'


def project(folder: Path, text: str) -> file.Project:
    (folder / "board.toml").write_text(BOARD, encoding="utf-8")
    (folder / "ocr.onnx").write_bytes(b"")
    (folder / file.NAME).write_text(text, encoding="utf-8")
    return file.load(folder / file.NAME)


def test_pairs_with_the_nearest_option_winning(tmp_path: Path) -> None:
    made = pairs.of(project(tmp_path, WHOLE), tmp_path)
    assert [pair.name for pair in made] == ["ocr/linux-cpu", "ocr/board", "chat/linux-cpu"]
    plain, own, chat = made
    assert (plain.options.recipe, own.options.recipe) == ("int8_qdq", str(tmp_path / "own.py"))
    assert plain.options.limits == ("cosine_mean:min=0.99",)
    assert own.options.limits == ("cosine_mean:min=0.9", "sqnr_db:min=20.0")
    assert plain.options.calibration == own.options.calibration == tmp_path / "lines"
    assert chat.options.calibration is None and chat.ref == "hf:org/chat"
    assert plain.ref == str(tmp_path / "ocr.onnx")
    assert plain.bundle == tmp_path / "made" / "ocr-linux-cpu" and plain.options.zip
    assert (plain.device, own.device) == ("local", "")
    assert plain.target.budgets("tensor")["latency_p90_ms"] == Limit(max=20)
    assert "latency_p90_ms" not in plain.target.budgets("llm")


@pytest.mark.parametrize(
    ("only", "left"),
    [
        ((), 3),
        (("model=ocr",), 2),
        (("target=linux-cpu",), 2),
        (("model=ocr,target=board",), 1),
        (("model=chat", "target=board"), 2),
    ],
)
def test_some_of_the_pairs(tmp_path: Path, only: tuple[str, ...], left: int) -> None:
    assert len(pairs.selected(pairs.of(project(tmp_path, WHOLE), tmp_path), only)) == left


@pytest.mark.parametrize(
    ("only", "said"),
    [("model=och", "did you mean 'ocr'"), ("ocr", "is not of the form"), ("model=", "is not of the form")],
)
def test_pairs_that_are_none(tmp_path: Path, only: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        pairs.selected(pairs.of(project(tmp_path, WHOLE), tmp_path), [only])


def test_what_is_asked_of_different_parts_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="leaves no pair"):
        pairs.selected(pairs.of(project(tmp_path, WHOLE), tmp_path), ["model=chat,target=board"])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("zip = true\n", "zpi = true\n", "unknown key 'zpi'; did you mean 'zip'"),
        ('recipe = "int8_qdq"', 'recpie = "int8"', "unknown key 'models.ocr.recpie'; did you mean 'recipe'"),
        ('recipe = "own.py"', 'tsak = "x"', "unknown key 'models.ocr.on.board.toml.tsak'"),
        ("{ min = 0.99 }", "{ mim = 0.99 }", "did you mean 'min'"),
        ("cosine_mean = { min = 0.99 }", "cosine_maen = { min = 0.99 }", "cosine_mean"),
        ('source = "ocr.onnx"\n', "", "models.ocr.source is missing"),
        ("[models.chat]", '[models."Chat me"]', "is no name for a model"),
        ('on."board.toml"', 'on."bord.toml"', "did you mean 'board.toml'"),
        ('targets = ["linux-cpu", "board.toml"]', "targets = []", "no target for ocr"),
        ('format = "1.0"', 'format = "2.0"', "format"),
        ("[devices]", "[devices", "is not readable TOML"),
        ('targets = ["linux-cpu", "board.toml"]', "targets = 3", "targets"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in WHOLE
    with pytest.raises(UsageError) as caught:
        project(tmp_path, WHOLE.replace(old, new, 1))
    assert said in caught.value.message and caught.value.next


def test_adapters_beside_a_model_and_merged_on_one_target(tmp_path: Path) -> None:
    said = 'source = "hf:org/chat"\nadapters = { polite = "tuned/polite", terse = "tuned/terse" }\n'
    alone = '[models.chat.on."board.toml"]\nadapters = { polite = "tuned/polite" }\nmerge_adapter = true\n'
    text = WHOLE.replace('source = "hf:org/chat"\ntargets = ["linux-cpu"]\n', said + alone)
    *_, beside, merged = pairs.of(project(tmp_path, text), tmp_path)
    polite = f"polite={tmp_path / 'tuned/polite'}"
    assert beside.options.adapters == (polite, f"terse={tmp_path / 'tuned/terse'}") and not beside.options.merge_adapter
    assert merged.options.adapters == (polite,) and merged.options.merge_adapter


def test_a_target_that_does_not_exist(tmp_path: Path) -> None:
    text = 'targets = ["linux-cpuu"]\n[models.chat]\nsource = "hf:org/chat"\n'
    with pytest.raises(TargetError, match="did you mean 'linux-cpu'"):
        pairs.of(project(tmp_path, text), tmp_path)


def test_two_targets_of_one_name(tmp_path: Path) -> None:
    text = WHOLE.replace('"board.toml"]', '"board.toml", "twin.toml"]', 1)
    (tmp_path / "twin.toml").write_text(BOARD, encoding="utf-8")
    with pytest.raises(UsageError, match="two targets give the bundle ocr/board"):
        pairs.of(project(tmp_path, text), tmp_path)


def test_deep_nesting_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(EdgekitError):
        project(tmp_path, "targets = " + "[" * 100_000)


def test_the_file_of_a_folder_above_is_taken(tmp_path: Path) -> None:
    project(tmp_path, WHOLE)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert file.nearest_file(below) == tmp_path / file.NAME
    assert file.nearest_file(Path("/")) is None


def test_a_begun_file_is_a_project(tmp_path: Path) -> None:
    (tmp_path / 'My Net "v2".onnx').write_bytes(b"x")
    (tmp_path / "b.c.gguf").write_bytes(b"x")
    (tmp_path / "phi").mkdir()
    (tmp_path / "phi" / "config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("", encoding="utf-8")
    models = begin.models_in(tmp_path)
    assert models == {"my-net-v2": 'My Net "v2".onnx', "b.c": "b.c.gguf", "phi": "phi"}
    path = tmp_path / file.NAME
    path.write_text(begin.text(models, ["linux-cpu"]), encoding="utf-8")
    made = file.load(path)
    assert {name: entry.source for name, entry in made.models.items()} == models
    lines = [
        line[2:] for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# ") and " = " in line
    ]
    begun = begin.text({"phi": "phi"}, ["linux-cpu", "android-cpu"])
    path.write_text(begun + "\n".join(lines[:4]), encoding="utf-8")
    suggested = file.load(path).models["phi"]
    assert suggested.recipe == "int8_qdq" and suggested.on["android-cpu"].recipe == "fp16"
    assert {"int8_qdq", "fp16"} <= set(recipes.names())


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        ("hf:microsoft/Phi-4-mini-instruct@main", "phi-4-mini-instruct"),
        ("pypi:a==1#b/Net.onnx", "net"),
        ("../models/x/", "x"),
        ("...", "model"),
    ],
)
def test_names_of_references(ref: str, name: str) -> None:
    assert begin.slug(ref) == name
