"""Chat templates with tools: how functions are given to a template so that it renders them as its publisher meant.

The engine's own `tools` argument rewrites them (names flattened, "string" to "str"), and it rewrites a message's key
`tools` (`["` becomes `['`, `true` becomes `True`). So they go where the template looks, on another way: as the literal
that the template's variable `tools` is set to, or in the system message under a key that the engine does not know.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from . import strict

OURS = "edgekit_tools"  # instead of a message's key `tools`, in the template too
_TOOLS = re.compile(r"\btools\b")
_KEY = re.compile(r"""([\w)\]]\[\s*|\.get\(\s*)(['"])tools\2""")  # message['tools'], message.get('tools')
_ATTRIBUTE = re.compile(r"\.tools\b")
_MEMBER = re.compile(r"""(['"])tools\1(\s+(?:not\s+)?in\b)""")  # 'tools' in message
_TRUTH = re.compile(r"\bis\s+(not\s+)?(?=(?:true|false|True|False)\b)")
_INDENT = re.compile(r"tojson\(\s*indent\s*=\s*(\d{1,2})\s*\)")
_EMPTY = re.compile(r"(?m)^( *)(.*)([\[{])([]}])(,?)$")
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})

Messages = Sequence[Mapping[str, Any]]
Tools = Sequence[Mapping[str, Any]]


def template_of(model: Path) -> str | None:
    """The chat template of a GenAI folder; None for a base model."""
    try:
        return (model / "chat_template.jinja").read_text(encoding="utf-8")
    except OSError:
        pass
    try:
        found = strict.loads((model / "tokenizer_config.json").read_bytes()).get("chat_template")
    except (OSError, ValueError):
        return None
    return found if isinstance(found, str) else None


def takes_tools(template: str | None) -> bool:
    """Whether a chat template has a place for functions."""
    return template is not None and _TOOLS.search(template) is not None


def render(
    tokenizer: Any, template: str, messages: Messages, tools: Tools = (), *, answer: bool = True, off: str | None = None
) -> str:
    """The prompt that Hugging Face would make of a conversation, by the engine's own reader of templates.

    Args:
        tokenizer: the engine's.
        template: the chat template of the tokenizer's folder.
        tools: functions as {"type": "function", "function": {"name", "description", "parameters"}}.
        answer: the prompt ends where an answer begins.
        off: a variable of the template that is set to false.

    Raises:
        ValueError: what no engine can be told, or what the template or the engine refuses; its first line says why.
    """
    given = in_message(template, messages, tools)
    form = template
    if any("tools" in message for message in given):
        given = [{OURS if key == "tools" else key: value for key, value in one.items()} for one in given]
        form = _ATTRIBUTE.sub(f".{OURS}", _KEY.sub(rf"\1\2{OURS}\2", _MEMBER.sub(rf"\1{OURS}\1\2", form)))
    elif tools:
        form = f"{{% set tools = {_literal(list(tools))} %}}{template}"
    if off is not None:  # the engine's `is` knows neither true nor false
        form = f"{{% set {off} = false %}}" + _TRUTH.sub(lambda test: "!= " if test[1] else "== ", form)
    text = json.dumps(given)
    if "\\u0000" in text or "\0" in form:
        raise ValueError("a text holds a zero byte, at which the engine would end it")
    own = {} if form == template else {"template_str": form}
    try:
        rendered = str(tokenizer.apply_chat_template(text, add_generation_prompt=answer, **own))
    except RuntimeError as error:
        raise ValueError(str(error)) from None
    return _mended(rendered, template, tools)


def in_message(template: str, messages: Messages, tools: Tools) -> list[dict[str, Any]]:
    """The messages, with the functions' JSON in the system message where the template looks there, as Phi-4-mini's."""
    given = [dict(message) for message in messages]
    if not tools or not any(pattern.search(template) for pattern in (_KEY, _ATTRIBUTE)):
        return given
    if not given or given[0].get("role") != "system":
        given.insert(0, {"role": "system", "content": ""})
    given[0]["tools"] = json.dumps([tool.get("function", tool) for tool in tools], ensure_ascii=False)
    return given


def _literal(value: Any) -> str:
    """A value as a template's literal. The engine reads no escapes of Unicode and no `e+22`, but every character."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_literal(str(key))}: {_literal(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_literal, value)) + "]"
    if isinstance(value, str):
        return f'"{value.translate(_ESCAPES)}"'
    if isinstance(value, float):
        digits = format(Decimal(repr(value)), "f")
        return digits if "." in digits else f"{digits}.0"
    return "none" if value is None else json.dumps(value)


def _mended(text: str, template: str, tools: Tools) -> str:
    """With empty lists and objects as `tojson(indent=4)` writes them; the engine puts an empty line into each."""
    for indent in {int(width) for width in _INDENT.findall(template)} if tools else ():
        for value in (list(tools), *tools, *(tool["function"] for tool in tools if "function" in tool)):
            right = json.dumps(value, ensure_ascii=False, indent=indent)
            wrong = _EMPTY.sub(rf"\1\2\3\n\1{' ' * indent}\n\1\4\5", right)
            text = text.replace(wrong, right)
    return text
