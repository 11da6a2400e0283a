from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.commands.run import _tools
from edgekit.errors import UsageError

pytestmark = pytest.mark.unit

CALL = {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}


@pytest.mark.parametrize("given", [CALL, {"type": "function", "function": CALL}], ids=["bare", "wrapped"])
def test_functions_become_what_a_template_takes(tmp_path: Path, given: dict[str, object]) -> None:
    path = tmp_path / "tools.json"
    path.write_text(json.dumps([given]))
    assert _tools(path) == [{"type": "function", "function": CALL}]


def test_none_are_none() -> None:
    assert _tools(None) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not readable JSON"),
        ("{}", "holds no list of functions"),
        ("[1]", "holds no list of functions"),
        ('[{"function": 1}]', "holds no list of functions"),
        ('[{"parameters": {}}]', "holds no list of functions"),
    ],
)
def test_what_holds_no_functions_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "tools.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=said) as error:
        _tools(path)
    assert error.value.next
