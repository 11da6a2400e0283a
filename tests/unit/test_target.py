"""Target profiles: strict reading, `extends`, and where each value came from."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from edgekit import ep, recipes, target
from edgekit.commands import main
from edgekit.commands.targets import begin
from edgekit.ep._releases import releases
from edgekit.errors import TargetError
from edgekit.predict.effort import BY_EFFORT

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", target.names())
def test_every_shipped_target_loads_and_has_its_files_name(name: str) -> None:
    found = target.load(name)
    assert found.name == name
    assert found.abi and found.status_reason and found.runtime
    assert all(package.floor and package.last_seen and package.source for package in found.runtime)
    assert not any(package.excluded and not package.excluded_reason for package in found.runtime)
    date.fromisoformat(found.status_date)
    for settings in (found.llm, found.tensor):
        assert settings.source and settings.precision and settings.memory.source
        assert all(variant.source or variant.note for variant in settings.variant)


@pytest.mark.parametrize("name", target.names())
def test_the_runtime_floor_of_every_target_is_known(name: str) -> None:
    """The table of releases says what it loads: opset, IR version, operators."""
    profile = target.load(name)
    for kind in ("llm", "tensor"):
        floor = profile.engine_floor(kind)
        assert floor is not None and releases().of(floor).opset >= 21
    level = target.api_level(profile.os, profile.platform.os_min)
    assert (level is not None) == (profile.os == "android")


@pytest.mark.parametrize("name", target.names())
def test_recipes_of_targets_are_of_the_right_kind(name: str) -> None:
    found = target.load(name)
    wanted = {kind: [one.recipe for one in getattr(found, kind).variants()] for kind in ("llm", "tensor")}
    wanted["llm"].append(found.llm.recipe_small or found.llm.recipe)
    llm = target.load(name).llm
    assert (llm.recipe == BY_EFFORT) == (llm.ep == "cpu")
    for kind, asked in wanted.items():
        assert set(asked) - {BY_EFFORT} <= set(recipes.names(kind))


@pytest.mark.parametrize("name", target.names())
def test_profiles_say_what_their_providers_need(name: str) -> None:
    """Fixed sizes where the provider takes no others; int4 decoders only where it has kernels for them."""
    found = target.load(name)
    for settings in (found.llm, found.tensor):
        assert settings.static_shapes or not ep.load(settings.ep).static_shapes
    assert ep.load(found.llm.ep).llm or found.llm.recipe == "qnn_static_llm"


@pytest.mark.parametrize("name", [name for name in target.names() if "qnn" in name])
def test_every_compiled_variant_is_tied_to_a_chip_and_a_runtime(name: str) -> None:
    """The numbers are Qualcomm's, read back from contexts that were compiled with them."""
    chips = {"SM8550": (43, "73"), "SM8650": (57, "75"), "SM8750": (69, "79"), "SM8850": (87, "81")}
    chips |= {"SC8380XP": (60, "73")}
    found = target.load(name)
    carried = [package.qairt for package in found.runtime if package.qairt]
    assert carried == [{"android": "2.50.40", "windows": "2.51.0"}[found.os]]
    for settings in (found.llm, found.tensor):
        for variant in settings.variant:
            if variant.compile:
                assert (variant.soc_model, variant.htp_arch) == chips[variant.soc[0]]
                assert variant.name == variant.soc[0].lower()
    assert found.tensor.variant[-1].name == "portable"  # the first that fits a chip is taken
    if name.startswith("android-qnn-"):
        assert [variant.name for variant in found.llm.variant] == [name.removeprefix("android-qnn-"), "portable"]


def test_a_kind_that_cannot_use_the_accelerator_says_why_and_what_can() -> None:
    for name, provider in (("android-nnapi", "nnapi"), ("ios-coreml", "coreml")):
        found = target.load(name)
        assert found.llm.ep == "cpu" and found.tensor.ep == provider
        instead = found.llm.instead_of
        assert instead is not None and instead.ep == provider and "MatMulNBits" in instead.reason
        assert all(one in target.names() for one in instead.alternatives) and instead.alternatives
        assert found.llm.recipe == target.load("linux-cpu").llm.recipe and found.llm.note


def test_old_technology_is_called_so() -> None:
    nnapi, directml = target.load("android-nnapi"), target.load("windows-directml")
    assert nnapi.status == directml.status == "legacy"
    assert "Android 15" in nnapi.status_reason and "sustained engineering" in directml.status_reason
    assert nnapi.successor and "Windows ML" in directml.successor
    assert nnapi.tensor.ep_options == {"cpu_disabled": "1"} and nnapi.tensor.static_shapes


def test_core_ml_has_two_variants() -> None:
    tensor = target.load("ios-coreml").tensor
    formats = {variant.name: variant.ep_options["ModelFormat"] for variant in tensor.variants()}
    assert formats == {"mlprogram_fp16": "MLProgram", "neuralnetwork_fp32": "NeuralNetwork"}
    assert [variant.recipe for variant in tensor.variants()] == ["fp16", "float32"]
    assert all(variant.ep_options["RequireStaticInputShapes"] == "1" for variant in tensor.variants())


def test_a_target_without_variants_has_one_portable_one() -> None:
    found = target.load("linux-cpu")
    (variant,) = found.tensor.variants()
    assert variant.name == "portable" and variant.recipe == found.tensor.recipe and variant.ep == "cpu"
    assert variant.recipe_uncalibrated == "int8_dynamic"


def test_options_of_another_provider_are_not_mixed_in(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'extends = "ios-coreml"\nname = "mine"\n[[tensor.variant]]\nname = "cpu"\nep = "cpu"\nrecipe = "float32"\n'
    )
    (variant,) = target.load(str(path)).tensor.variants()
    assert variant.ep == "cpu" and variant.ep_options == {} and variant.recipe_uncalibrated == "float32"


@pytest.mark.parametrize("parent", target.names())
def test_a_new_target_extends_any_other(parent: str, tmp_path: Path) -> None:
    path = begin("mine", parent, tmp_path)
    mine, base = target.load(str(path)), target.load(parent)
    assert mine.name == "mine"
    changed = {"name": base.name, "title": base.title}
    assert mine.model_copy(update=changed) == base


def test_a_new_target_extends_one_of_ones_own_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep").mkdir()
    first = begin("first", "android-qnn-sm8750", tmp_path)
    monkeypatch.chdir(tmp_path)
    second = begin("second", "first.toml", Path("deep"))
    assert "first.toml" in second.read_text()
    assert target.load(str(second)).tensor == target.load(str(first)).tensor


@pytest.mark.parametrize(
    ("name", "words"),
    [("linux-cpu", "ships with edgekit"), ("Mine!", "no name for a target"), ("", "no name for a target")],
)
def test_a_new_target_needs_a_name_of_its_own(name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=words):
        begin(name, "linux-cpu", tmp_path)


def test_a_new_target_replaces_nothing(tmp_path: Path) -> None:
    path = begin("mine", "linux-cpu", tmp_path)
    path.write_text("precious")
    with pytest.raises(TargetError, match="exists"):
        begin("mine", "linux-cpu", tmp_path)
    assert path.read_text() == "precious"
    begin("mine", "linux-cpu", tmp_path, force=True)
    assert target.load(str(path)).name == "mine"


def test_a_file_outside_the_tree_extends_a_shipped_target(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('extends = "linux-cpu"\nname = "mine"\n[llm]\nmax_length = 512\n')
    found = target.load(str(mine))
    base = target.load("linux-cpu")
    assert found.name == "mine" and found.llm.max_length == 512
    assert found.llm.recipe == base.llm.recipe and found.runtime == base.runtime


def test_a_file_extends_a_file_beside_it_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.toml").write_text('extends = "b.toml"\n[tensor]\nnote = "a"\n')
    (tmp_path / "b.toml").write_text('extends = "linux-cpu"\nname = "b"\n[tensor]\nnote = "b"\nep = "cpu"\n')
    monkeypatch.chdir("/")
    assert target.load(str(tmp_path / "a.toml")).tensor.note == "a"
    merged, origin = target.resolve(str(tmp_path / "a.toml"))
    assert origin["name"] == "b.toml" and origin["os"] == "linux-cpu.toml"
    assert origin["tensor.note"] == "a.toml" and origin["tensor.ep"] == "b.toml"
    assert merged["tensor"]["recipe"] == target.load("linux-cpu").tensor.recipe


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nmae = 'x'", ["unknown key 'nmae'", "did you mean 'name'"]),
        ("[llm]\nmax_lenght = 5", ["unknown key 'llm.max_lenght'", "did you mean 'max_length'"]),
        ("[budget.decode_tps]\nmni = 5", ["unknown key 'budget.decode_tps.mni'", "did you mean 'min'"]),
        ("[llm]\nmax_length = 'long'", ["llm.max_length", "integer"]),
        ("os = 'beos'", ["os", "linux"]),
        ("name = ", ["not readable TOML"]),
        ("extends = 3", ["extends must be the name"]),
        ("extends = 'linux-cpuu'", ["unknown target 'linux-cpuu'", "did you mean 'linux-cpu'"]),
        ("extends = 'gone.toml'", ["no target file gone.toml"]),
        ("extends = 'bad.toml'", ["extends itself"]),
        ("[tensor]\nep = 'cpuu'", ["tensor", "unknown execution provider 'cpuu'", "did you mean 'cpu'"]),
        ("[tensor]\nep_options = { use_aren = '1' }", ["no option 'use_aren'", "did you mean 'use_arena'"]),
        ("[tensor]\nep_options = { use_arena = 'yes' }", ["'use_arena' of cpu must be one of 0, 1"]),
        ("[[tensor.variant]]\nname = 'a'\ncompil = 'qnn_context'", ["tensor.variant.0.compil", "'compile'"]),
        ("[[tensor.variant]]\nname = 'a'\ncompile = 'qnn_context'", ["needs soc, soc_model and htp_arch"]),
        ("[[tensor.variant]]\nname = 'a'\n[[tensor.variant]]\nname = 'a'", ["two variants have one name"]),
        ("[[tensor.variant]]\nname = '../a'", ["tensor.variant.0.name", "pattern"]),
        ("[[tensor.variant]]\nname = 'a'\nep = 'dmll'", ["unknown execution provider 'dmll'", "'dml'"]),
        ("[tensor.memory]\nprepack_factr = 1.0", ["'tensor.memory.prepack_factr'", "'prepack_factor'"]),
        ("[llm.budget.decode_tps]\nmini = 1.0", ["'llm.budget.decode_tps.mini'", "'min'"]),
        ("[tensor]\ncoverage_min = 80", ["tensor.coverage_min", "less than or equal to 1"]),
    ],
)
def test_a_wrong_file_is_one_line_that_names_the_place(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text if "extends" in text else f'extends = "linux-cpu"\n{text}')
    with pytest.raises(TargetError) as caught:
        target.load(str(path))
    assert all(word in caught.value.message for word in words), caught.value.message
    assert "\n" not in caught.value.message and caught.value.next


def test_a_circle_of_two_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('extends = "b.toml"')
    (tmp_path / "b.toml").write_text('extends = "a.toml"')
    with pytest.raises(TargetError, match="extends itself"):
        target.load(str(tmp_path / "a.toml"))


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a = " + b"[" * 100_000])
def test_bytes_that_are_no_toml_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(TargetError, match="not readable TOML") as caught:
        target.load(str(path))
    assert len(caught.value.message) < 500


def test_an_unknown_name_suggests_the_nearest_and_lists_all() -> None:
    with pytest.raises(TargetError, match="did you mean 'linux-cpu'") as caught:
        target.load("linux-cqu")
    assert all(name in caught.value.next for name in target.names())


def test_a_missing_value_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bare.toml"
    path.write_text('name = "bare"')
    with pytest.raises(TargetError, match="title: field required"):
        target.load(str(path))


def test_the_commands_list_show_and_begin_targets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    def said(*words: str, code: int = 0) -> Any:
        capsys.readouterr()
        assert main(["targets", *words, "--json"]) == code
        return json.loads(capsys.readouterr().out)

    assert [one["name"] for one in said("list")["data"]] == target.names()
    assert said("new", "mine", "--extends", "android-qnn-sm8750")["data"] == {
        "path": "mine.toml",
        "extends": "android-qnn-sm8750",
    }
    shown = said("show", "mine.toml")["data"]
    assert shown["target"]["name"] == "mine"
    origin = shown["origin"]
    assert origin["name"] == "mine.toml" and origin["tensor.variant"] == "android-qnn-sm8750.toml"
    assert origin["tensor.ep"] == "android-qnn.toml" and origin["os"] == "android-cpu.toml"
    assert origin["tensor.budget.latency_p90_ms.max"] == "android-cpu.toml" and origin["format"] == "default"
    assert said("new", "mine", "--extends", "linux-cpu", code=3)["error"]["code"] == "target"
    assert said("new", "other", "--extends", "linux-cqu", code=3)["error"]["message"].count("did you mean 'linux-cpu'")
    assert said("schema")["data"]["properties"]["tensor"]
