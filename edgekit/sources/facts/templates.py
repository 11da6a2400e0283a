"""The chat template of a folder."""

from __future__ import annotations

from pathlib import Path

from edgekit.sources.facts.files import TOKENIZER_LIMIT, optional_json


def written(folder: Path) -> str:
    """The chat template as it stands in the folder, of several the first; empty without one."""
    if (folder / "chat_template.jinja").is_file():
        return (folder / "chat_template.jinja").read_text(encoding="utf-8", errors="replace")[:TOKENIZER_LIMIT]
    for name in ("tokenizer_config.json", "chat_template.json"):
        stated = optional_json(folder / name).get("chat_template")
        if isinstance(stated, list):
            stated = next((entry.get("template") for entry in stated if isinstance(entry, dict)), None)
        if isinstance(stated, str):
            return stated
    return ""
