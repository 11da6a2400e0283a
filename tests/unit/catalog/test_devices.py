"""Device cards: every value has its source, every name is found, and what is not published is not there."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from edgekit import files, target
from edgekit.catalog import cards, device
from edgekit.catalog.device import GIB
from edgekit.errors import UsageError
from edgekit.fit import estimate

pytestmark = pytest.mark.unit

# What a card says of itself; all else was read somewhere.
OWN = {"name", "title", "kind", "also"}


def tables(name: str) -> dict[str, Any]:
    path = files.resource("catalog/devices") / f"{name}.toml"
    data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    return data


def test_phones_boards_and_pcs_are_there() -> None:
    kinds = [device.load(name).kind for name in device.names()]
    assert len(kinds) >= 15 and {kind: kinds.count(kind) >= 3 for kind in kinds} == dict.fromkeys(set(kinds), True)


@pytest.mark.parametrize("name", device.names())
def test_every_value_stands_beside_its_source(name: str) -> None:
    data = tables(name)
    assert device.load(name).name == name == data["name"]
    for key, table in data.items():
        if key not in OWN:
            for row in table if isinstance(table, list) else [table]:
                assert isinstance(row, dict) and len(row) > 1, key
                assert len(row["source"]) > 12 and ("http" in row["source"] or "targets/" in row["source"] or key)


def test_a_figure_is_of_a_member_and_an_accelerators_chip_of_a_target() -> None:
    arches = {
        chip: variant.htp_arch
        for name in target.names()
        for variant in target.load(name).settings("llm").variants()
        for chip in variant.soc
    }
    for each in device.devices():
        assert all(cards.load(said.model).member for said in each.published)
        if each.npu and each.npu.htp_arch:
            assert each.soc is not None and arches[each.soc.model] == each.npu.htp_arch


@pytest.mark.parametrize("word", ["Pixel 9", "pixel-9", "google pixel 9", "PIXEL9"])
def test_a_device_is_found_by_any_of_its_names(word: str) -> None:
    assert device.find(word).name == "pixel-9"


def test_names_of_devices_lead_to_one_each() -> None:
    words = [device._plain(word) for each in device.devices() for word in {each.name, each.title, *each.also}]
    owners: dict[str, set[str]] = {}
    for each in device.devices():
        for word in (each.name, each.title, *each.also):
            owners.setdefault(device._plain(word), set()).add(each.name)
    assert words and all(len(names) == 1 for names in owners.values())


def test_an_unknown_device_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'Pixel 9 Pro'") as error:
        device.find("Pixl 9 Pro")
    assert error.value.exit_code == 2 and "--ram" in error.value.next


def test_a_card_from_outside_is_strict(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    system = '[system]\nos = "linux"\nabi = "x86_64"\nsource = "my own machine"\n'
    text = f'name = "mine"\ntitle = "Mine"\nkind = "pc"\n{system}'
    path.write_text(text, encoding="utf-8")
    assert device.find(str(path)).ram_bytes is None
    for more, named in (("[ram]\ngb = 8\n", "ram.source"), ("[ram]\ngiga = 8\nsource = 'my own machine'\n", "ram.gb")):
        path.write_text(text + more, encoding="utf-8")
        with pytest.raises(UsageError, match=named):
            device.find(str(path))
    with pytest.raises(UsageError, match="no readable card"):
        device.find(str(tmp_path / "none.toml"))


def test_targets_of_a_device_are_those_of_its_system_and_chip() -> None:
    names = [it.name for it in estimate.targets_of(device.find("Galaxy S25"))]
    assert {"android-cpu", "android-qnn", "android-qnn-sm8750"} <= set(names)
    assert not [name for name in names if name.startswith(("ios", "linux", "windows")) or name.endswith("sm8550")]
    assert [it.name for it in estimate.targets_of(device.find("iPhone 16"))] == ["ios-coreml", "ios-cpu"]
    assert estimate.chosen(device.find("Raspberry Pi 5"), None).name == "linux-arm64"


def test_the_limits_say_who_measured_them() -> None:
    assert set(device.limits()) == {"android", "ios", "linux", "macos", "windows"}
    assert {target.load(name).os for name in target.names()} == set(device.limits())
    assert device.limits()["ios"].measured_by and device.limits()["android"].share is None
    bounds = [limit for limit in device.limits().values() if not limit.measured_by]
    assert len(bounds) == 4 and all(limit.source.startswith("of the limit: none") for limit in bounds)
    assert all("no limit" in limit.what and "all of the memory is the bound" in limit.what for limit in bounds)
    assert device.find("Pixel 9").ram_bytes == 12 * GIB
