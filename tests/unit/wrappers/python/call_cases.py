"""Answers of models, and the function calls in them: one table, which every runtime is held to."""

from __future__ import annotations

from typing import Any

A, B = {"name": "a", "arguments": {"x": 1, "s": 'é; {"y"}'}}, {"name": "b", "arguments": {}}
A_JSON = '{"name": "a", "arguments": {"x": 1, "s": "é; {\\"y\\"}"}}'
B_JSON = '{"name": "b", "arguments": {}}'
# (form, answer, its calls); none where the answer is text.
CASES: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("phi-4-mini", f"<|tool_call|>[{A_JSON}]<|/tool_call|>", [A]),
    ("phi-4-mini", f"<|tool_call|>[{A_JSON}, {B_JSON}]<|/tool_call|>", [A, B]),
    ("phi-4-mini", f'<|tool_call|>[{{"type": "function", "function": {A_JSON}}}]<|/tool_call|>', [A]),
    ("phi-4-mini", f"<|tool_call|>{A_JSON}", [A]),  # cut before the end
    ("phi-4-mini", f"[{A_JSON}]", [A]),  # without its marks
    ("phi-4-mini", '<|tool_call|>[{"name": "a", "arguments": {"x": ]<|/tool_call|>', []),
    ("phi-4-mini", "<|tool_call|>[]<|/tool_call|>", []),
    ("hermes", f"<tool_call>\n{A_JSON}\n</tool_call>", [A]),
    ("hermes", f"<tool_call>{A_JSON}</tool_call>\n<tool_call>\n{B_JSON}\n</tool_call>", [A, B]),
    ("hermes", f"I look it up.\n<tool_call>\n{B_JSON}\n</tool_call>", [B]),
    ("hermes", '<tool_call>\n{"name": "b"}\n</tool_call>', [B]),
    ("hermes", '<tool_call>\n{"name": "b", "arguments": "{}"}\n</tool_call>', [B]),
    ("hermes", '<tool_call>\n{"name": 3, "arguments": {}}\n</tool_call>', []),
    ("hermes", '<tool_call>\n{"name": "b", "arguments": [1]}\n</tool_call>', []),
    ("hermes", '<tool_call>\n{"name": "b", "arguments": {"x": NaN}}\n</tool_call>', []),
    ("hermes", '<tool_call>\n{"name": "b", "arguments": {"x": 1e999}}\n</tool_call>', []),
    ("hermes", f"<tool_call>\n{A_JSON}\n</tool_call><tool_call>\nbroken\n</tool_call>", []),
    ("hermes", "The answer is 4.", []),
    ("hermes", "", []),
    ("llama", A_JSON.replace("arguments", "parameters"), [A]),
    ("llama", f"<|python_tag|>{A_JSON}", [A]),
    ("llama", f"{A_JSON};\n{B_JSON}", []),  # what is cut inside a text is no call
    ("llama", f"{B_JSON}; {B_JSON}", [B, B]),
    ("llama", '{"x": 1}', []),
    ("llama", "null", []),
    ("json", f"  {A_JSON}\n", [A]),
    ("json", "7", []),
    ("none of them", A_JSON, []),
]
# (form, how an answer begins, whether it may still become a call)
BEGINNINGS = [
    ("hermes", "", True),
    ("hermes", "\n <tool", True),
    ("hermes", "<tool_call>\n{", True),
    ("hermes", "<b", False),
    ("hermes", "Yes", False),
    ("phi-4-mini", "<|tool_call|", True),
    ("phi-4-mini", "<|end", False),
    ("llama", "{", True),
    ("llama", "<|python", True),
    ("json", "[", True),
    ("json", "a{", False),
]
