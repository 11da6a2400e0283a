"""Chat templates with tools: how functions are given to a template so that it renders them as its publisher meant.

The runtime's own `tools` argument rewrites them (names flattened, "string" to "str"), which only Phi-4-mini's publisher
does. So they are put where the template looks: into the system message, or into the variable `tools`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_IN_MESSAGE = re.compile(r"""message\[['"]tools['"]\]|message\.tools""")
_TOOLS = re.compile(r"\btools\b")

Messages = Sequence[Mapping[str, Any]]
Tools = Sequence[Mapping[str, Any]]


def template_of(model: Path) -> str | None:
    """The chat template of a GenAI folder; None for a base model."""
    try:
        return (model / "chat_template.jinja").read_text(encoding="utf-8")
    except OSError:
        pass
    try:
        found = json.loads((model / "tokenizer_config.json").read_text(encoding="utf-8")).get("chat_template")
    except (OSError, ValueError):
        return None
    return found if isinstance(found, str) else None


def takes_tools(template: str | None) -> bool:
    """Whether a chat template has a place for functions."""
    return template is not None and _TOOLS.search(template) is not None


def with_tools(template: str, messages: Messages, tools: Tools) -> tuple[str, list[dict[str, Any]]]:
    """The template and the messages to render for a conversation with tools.

    Args:
        tools: functions as {"type": "function", "function": {"name", "description", "parameters"}}.
    """
    given = [dict(message) for message in messages]
    if not tools:
        return template, given
    if _IN_MESSAGE.search(template):
        if not given or given[0].get("role") != "system":
            given.insert(0, {"role": "system", "content": ""})
        given[0]["tools"] = json.dumps([tool.get("function", tool) for tool in tools], ensure_ascii=False)
        return template, given
    listed = json.dumps(list(tools), ensure_ascii=False)
    return f"{{% set null = none %}}{{% set tools = {listed} %}}{template}", given
