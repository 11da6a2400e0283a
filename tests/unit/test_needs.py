"""No test is passed over in silence on CI: only tests/needs.py skips, and it fails there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests import needs

pytestmark = pytest.mark.unit

TESTS = Path(__file__).parents[1]
SKIPS = {"skip", "skipif", "importorskip", "skipTest", "skipIf", "skipUnless", "SkipTest", "xfail"}
ASKS = re.compile(r"(environ\.get|getenv|environ\.__getitem__)\('CI'|environ\['CI'\]")


def skips(text: str) -> list[int]:
    """The lines of a test file that skip, or that ask whether this is CI, which is how a skip of one's own begins."""
    lines = []
    for node in ast.walk(ast.parse(text)):
        named = isinstance(node, ast.Attribute) and node.attr in SKIPS
        imported = isinstance(node, ast.ImportFrom) and {alias.name for alias in node.names} & SKIPS
        asked = isinstance(node, ast.Call | ast.Subscript) and ASKS.search(ast.unparse(node))
        if named or imported or asked:
            lines.append(node.lineno)
    return lines


def test_only_needs_skips() -> None:
    paths = [path for path in TESTS.rglob("*.py") if path not in (Path(needs.__file__), Path(__file__))]
    assert len(paths) > 100
    assert [f"{path.relative_to(TESTS)}:{line}" for path in paths for line in skips(path.read_text("utf-8"))] == []


@pytest.mark.parametrize(
    "line",
    [
        "pytest.skip('x')",
        "pytest.importorskip('gguf')",
        "@pytest.mark.skip\ndef f(): ...",
        "@pytest.mark.skipif(True, reason='x')\ndef f(): ...",
        "@pytest.mark.xfail\ndef f(): ...",
        "pytestmark = pytest.mark.skipif(1)",
        "raise pytest.skip.Exception('x')",
        "from pytest import skip",
        "from unittest import SkipTest as S",
        "unittest.skipIf(1, 'x')",
        "if os.environ.get('CI'): pass",
        "if os.environ['CI'] == 'true': pass",
        "x = os.getenv('CI', '')",
    ],
)
def test_the_rule_can_fail(line: str) -> None:
    assert skips(f"import pytest\n{line}\n")


@pytest.mark.parametrize(
    "line", ["# fmt: skip", "tokenizer.decode(ids, skip_special_tokens=True)", "x['skipped']", "m.setenv('CI', '')"]
)
def test_what_only_looks_like_it_is_allowed(line: str) -> None:
    assert not skips(line)


def test_what_is_missing_fails_on_ci_and_skips_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no_such_module cannot be imported"):
        needs.module("no_such_module")
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception):
        needs.module("no_such_module")
    assert needs.module("json").__name__ == "json"
