"""What a shell is offered for a word that names something; where nothing is known the shell completes files."""

from __future__ import annotations

import pytest
from click.shell_completion import ShellComplete

from edgekit import registry, target
from edgekit.catalog import cards, device
from edgekit.commands import cli

pytestmark = pytest.mark.unit

RECIPES = ["auto", *registry.listed("edgekit.recipes")]
PLACES = ["adb:", "ios:", "local", "ssh:"]
ROWS: list[tuple[str, list[str]]] = [
    ("build", cards.names()),
    ("build net.onnx --target", target.names()),
    ("build net.onnx --recipe", RECIPES),
    ("build net.onnx --device", device.names()),
    ("fit", cards.names()),
    ("fit net --device", device.names()),
    ("fit net --target", target.names()),
    ("recommend --device", device.names()),
    ("recommend --target", target.names()),
    ("check folder --device", PLACES),
    ("doctor --device", PLACES),
    ("doctor --target", target.names()),
    ("explain", cards.names()),
    ("targets show", target.names()),
    ("models show", cards.names()),
]


def offered(words: str, incomplete: str) -> list[tuple[str, str]]:
    """Type and text of what is offered for the word after these."""
    items = ShellComplete(cli, {}, "edgekit", "_EDGEKIT_COMPLETE").get_completions(words.split(), incomplete)
    return [(item.type, item.value) for item in items]


@pytest.mark.parametrize(("words", "names"), ROWS, ids=[row[0] for row in ROWS])
def test_names_are_offered_and_files_where_none_fits(words: str, names: list[str]) -> None:
    assert names
    assert offered(words, "") == [("plain", name) for name in names]
    begin = names[-1][:4]
    assert ("plain", names[-1]) in offered(words, begin)
    assert {value[:4] for _, value in offered(words, begin)} == {begin}
    if names != PLACES:
        assert offered(words, "./zz") == [("file", "./zz")]
