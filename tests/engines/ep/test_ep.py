"""Execution providers: what every file must have, options with their nearest key, and what this machine can open."""

from __future__ import annotations

import re
from pathlib import Path

import onnxruntime as ort
import pytest

from edgekit import ep
from edgekit.errors import ToolMissing
from tests import needs

pytestmark = pytest.mark.runtimes


def test_what_this_machine_has() -> None:
    assert ep.unavailable("cpu") == ""
    assert "built without it" in ep.unavailable("coreml")


def test_a_session_gets_the_provider() -> None:
    options = ort.SessionOptions()
    ep.attach(options, "cpu", {"use_arena": "0"})
    assert options.has_providers()
    with pytest.raises(ToolMissing, match=r"no session of the execution provider nnapi") as caught:
        ep.attach(ort.SessionOptions(), "nnapi", {})
    assert caught.value.next


@pytest.mark.parametrize("name", ep.names())
def test_what_a_session_needs_of_this_machine_is_there(name: str) -> None:
    provider = ep.load(name)
    if provider.plugin:
        needs.module(provider.plugin)
    given = provider.defaults()
    assert ep.options_problem(name, given) == ""
    assert [key for key, value in given.items() if key.endswith("_path") and not Path(value).is_file()] == []


def test_qairt_is_the_version_of_the_installed_compiler() -> None:
    needs.module("onnxruntime_qnn")
    from edgekit.ep import qnn

    assert re.fullmatch(r"\d+\.\d+\.\d+", qnn.qairt())
    assert qnn.defaults()["backend_path"].endswith(("libQnnHtp.so", "QnnHtp.dll"))
