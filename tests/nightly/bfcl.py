"""Cases of bfcl-eval, and how a bundle fares with them: calls with guidance and without, and after a tool's answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from edgekit.sources import pypi
from edgekit.wrappers.python.functions import Call
from tests.engines.wrappers.families import PHI4_MINI, QWEN
from tests.engines.wrappers.runtimes import Runtime

PACKAGE = "pypi:bfcl-eval==2026.3.23#bfcl_eval/data/BFCL_v4_{}.json"
SHA256 = {
    "simple_python": "82dd63ba502eb2520c6b5d1d9a5c4b590e03ff261565175561f6228a367d1991",
    "multiple": "aef168155ebd74b7ac2401198b201343bc7d16d7a3d7e0d4e6d8ee82c6969b2a",
}
TYPES = {"dict": "object", "float": "number", "tuple": "array"}
FAMILIES: dict[str, dict[str, Any]] = {
    "hermes": {"template": QWEN, "calls": "hermes"},
    "phi-4-mini": {"template": PHI4_MINI, "calls": "phi-4-mini"},
}
# Tokens of an answer without guidance, with it (a weak model counts to the end of a text of 1000 characters, a token
# each, and some functions take two), and behind a tool's answer.
FREE, GUIDED, AFTER = 160, 2400, 24
RESULTS = ('{"result": "42 green apples"}', '{"error": "the harbour is closed until Monday"}')
PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


def cases(name: str, count: int) -> list[dict[str, Any]]:
    """The first of one function ("simple_python"), or of several to choose from ("multiple"): {"question", "tools"}."""
    return list(islice(_rows(name), count))


def _rows(name: str) -> Any:
    wanted = pypi.parse(f"{PACKAGE.format(name)}@sha256={SHA256[name]}")
    path = pypi.download(wanted, lambda text: None) / "files" / Path(wanted.path).name
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        functions = [function | {"parameters": _schema(function["parameters"])} for function in row["function"]]
        tools = [{"type": "function", "function": function} for function in functions]
        yield {"id": row["id"], "question": row["question"][0][-1]["content"], "tools": tools}


def _schema(schema: Any) -> Any:
    """With types as JSON Schema names them, and without `default`, `optional` and types of anything."""
    if isinstance(schema, list):
        return [_schema(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _schema(value) for key, value in schema.items() if key not in ("default", "optional")}
    if isinstance(kept.get("type"), str):
        kept["type"] = TYPES.get(kept["type"], kept["type"])
        if kept["type"] == "any":
            del kept["type"]
    return kept


def fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a value is of a schema: types, enum, properties, required ones, items. These cases use no more."""
    kind = schema.get("type")
    if kind is not None:
        expected = PYTHON_TYPES[kind]
        if not isinstance(value, expected) or (isinstance(value, bool) and kind != "boolean"):
            return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if kind == "array":
        return all(fits(item, schema.get("items", {})) for item in value)
    if kind == "object":
        known = schema.get("properties", {})
        whole = set(schema.get("required", ())) <= set(value) and (not known or set(value) <= set(known))
        return whole and all(fits(item, known.get(name, {})) for name, item in value.items())
    return True


def valid(call: Call, tools: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a call is of one of the functions, with what its schema takes."""
    schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in tools}
    return call["name"] in schemas and fits(call["arguments"], schemas[call["name"]])


@dataclass
class Tally:
    """What came of some cases.

    Attributes:
        free: without guidance, how many answers are a call.
        wrong: guided, what is no valid call that the model ended.
        unheard: after which a tool's answer changed nothing in the model's next one.
    """

    asked: int = 0
    free: int = 0
    wrong: list[str] = field(default_factory=list)
    unheard: list[str] = field(default_factory=list)


def ask(runtime: Runtime, bundle: Path, some: Sequence[Mapping[str, Any]]) -> Tally:
    """Each case asked without guidance and with it, and after each of two answers of the tool."""
    tally = Tally()
    for case in some:
        tally.asked += 1
        messages: list[dict[str, Any]] = [{"role": "user", "content": case["question"]}]
        request = {"tools": case["tools"], "temperature": 0.0}
        free = runtime.act("generate", bundle, messages=messages, call="unguided", max_tokens=FREE, **request)
        tally.free += bool(free.outcome["calls"])
        held = runtime.act("generate", bundle, messages=messages, call="required", max_tokens=GUIDED, **request)
        calls = held.outcome["calls"]
        if held.outcome["reason"] != "eos" or len(calls) != 1 or not valid(calls[0], case["tools"]):
            tally.wrong.append(f"{case['id']}: {held.outcome['reason']}, {calls}")
            continue
        called = {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": calls[0]}]}
        said = []
        for result in RESULTS:
            turn = [*messages, called, {"role": "tool", "name": calls[0]["name"], "content": result}]
            after = runtime.act("generate", bundle, messages=turn, call="unguided", max_tokens=AFTER, **request)
            said.append("".join(event.get("text", "") for event in after.events) or str(after.outcome["calls"]))
        if said[0] == said[1]:
            tally.unheard.append(f"{case['id']}: {said[0]!r} whatever the tool said")
    return tally
