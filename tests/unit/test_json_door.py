"""Who may read JSON by a lenient parser: whatever a bundle may bring goes through wrappers/python/strict.py."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

PACKAGE = Path(__file__).parents[2] / "edgekit"
LENIENT = {"loads", "load", "model_validate_json", "JSONDecoder", "raw_decode"}
# Files and folders that read no bundle, and what they read instead.
MAY = {
    "extras.py": "what pip wrote of this installation",
    "project/ci.py": "likewise",
    "wrappers/python/strict.py": "is the door",
    "wrappers/python/protocol.py": "a request, which edgekit wrote",
    "warm.py": "what edgekit.jobs.warm says of a process",
    "wrappers/python/calls.py": "a model's answer, of which anything may come",
    "wrappers/python/functions.py": "likewise",
    "contract/check_plan.py": "the bytes that the door has let through",
    "quality/kv_cache.py": "the float reference's windows, which edgekit wrote",
    "quality/_reference.py": "texts of the package and what a reference job wrote",
    "inputs/function_calls.py": "cases of the package",
    "inputs/boxes.py": "the labels that the user gives",
    "quality/rope.py": "the source's config.json",
    "quality/_child_llm.py": "windows of a reference job",
    "quality/source.py": "likewise",
    "sources": "models on their way in, each by its own rules",
    "jobs": "models on their way in, and what engines wrote",
    "devices": "what a device or its runtime answers",
    "partition/_child.py": "an engine's trace",
    "strangers.py": "what the user gives",
    "compile/__init__.py": "the cache",
    "bundle/kept.py": "a record of edgekit's own",
    "search.py": "a record of edgekit's own",
    "project/status.py": "the cache",
    "packs/__init__.py": "a record of edgekit's own",
    "cache.py": "the cache",
    "memo.py": "the cache",
    "tools.py": "what children of edgekit's own answer",
}
# The door, its rules; requests; answers.
CPP_MAY = {
    "strict.cpp",
    "guard.cpp",
    "protocol.cpp",
    "app.cpp",
    "edgekit.cpp",
    "calls.cpp",
    "functions.cpp",
    "actions.cpp",
}


def lenient(source: str) -> list[str]:
    """The calls in a file that parse JSON otherwise than through the door."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in LENIENT:
            owner = ast.unparse(node.value)
            if owner == "json" or node.attr in ("model_validate_json", "raw_decode"):
                found.append(f"{owner}.{node.attr}")
        if isinstance(node, ast.ImportFrom) and node.module == "json":
            found.append("from json import ...")
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_bundle_is_read_through_the_door(path: Path) -> None:
    name = path.relative_to(PACKAGE).as_posix()
    if lenient(path.read_text(encoding="utf-8")):
        assert name in MAY or name.split("/")[0] in MAY, "use edgekit.wrappers.python.strict, or say what else it reads"


def test_no_exception_is_out_of_date() -> None:
    for name in MAY:
        files = sorted((PACKAGE / name).rglob("*.py")) if (PACKAGE / name).is_dir() else [PACKAGE / name]
        assert any(lenient(path.read_text(encoding="utf-8")) for path in files), name


def test_the_cpp_core_reads_a_bundle_through_its_door() -> None:
    sources = sorted((PACKAGE / "wrappers/cpp/src").glob("*.cpp"))
    found = {
        path.name
        for path in sources
        if re.search(r"(Json|Ordered)::(sax_)?parse|Json::from_|stream >> ", path.read_text())
    }
    assert found == CPP_MAY


@pytest.mark.parametrize(
    "source",
    ["import json\njson.loads(x)", "import json\njson.load(f)", "M.model_validate_json(x)", "from json import loads"],
)
def test_the_rule_can_fail(source: str) -> None:
    assert lenient(source)


def test_the_door_is_none_of_them() -> None:
    assert not lenient("strict.loads(x)\njson.dumps(x)")
