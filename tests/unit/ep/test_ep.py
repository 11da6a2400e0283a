"""Execution providers: what every file must have, options with their nearest key, and what this machine can open."""

from __future__ import annotations

import pytest

from edgekit import ep
from edgekit.errors import UsageError
from edgekit.wrappers.python.manifest import PROVIDERS

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", ep.names())
def test_every_provider_has_what_the_others_have(name: str) -> None:
    found = ep.load(name)
    assert found.name == name and found.title and found.source
    assert ep.provider(name) == PROVIDERS[name]
    keys = [option.key for option in found.options]
    assert len(set(keys)) == len(keys)
    for option in found.options:
        assert option.meaning and "\n" not in option.meaning
        assert all(not option.refusal(value) for value in option.values)
    assert ep.options_problem(name, {}) == ""
    assert found.defaults is dict or found.plugin  # what an Ep of ONNX Runtime itself needs lies in its wheel


def test_an_unknown_provider_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'coreml'") as caught:
        ep.load("corelm")
    assert all(name in caught.value.next for name in ep.names())


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("coreml", {"ModelFormat": "MLProgram"}, ""),
        ("coreml", {"ModelFromat": "MLProgram"}, "no option 'ModelFromat'; did you mean 'ModelFormat'"),
        ("coreml", {"ModelFormat": "mlprogram"}, "must be one of MLProgram, NeuralNetwork, not 'mlprogram'"),
        ("coreml", {"ModelCacheDirectory": " "}, "must not be empty"),
        ("qnn", {"soc_model": "57", "htp_arch": "75"}, ""),
        ("qnn", {"soc_model": "SM8650"}, "'soc_model' of qnn must be a number, not 'SM8650'"),
        ("qnn", {"backend": "htp"}, "did you mean 'backend_"),
        ("nnapi", {"cpu_disabled": "true"}, "must be one of 0, 1"),
        ("dml", {"device_id": "-1"}, ""),
    ],
)
def test_a_wrong_option_is_one_line(name: str, options: dict[str, str], words: str) -> None:
    problem = ep.options_problem(name, options)
    assert words in problem and bool(words) == bool(problem) and "\n" not in problem
