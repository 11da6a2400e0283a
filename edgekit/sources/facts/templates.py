"""The chat template of a folder, which must be one that Jinja reads: what does not compile ends every conversation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgekit.errors import SourceError
from edgekit.sources.facts.files import TOKENIZER_LIMIT, optional_json

FILE = "chat_template.jinja"
PLACES = ("tokenizer_config.json", "chat_template.json")
# A tag of transformers for training, around what an assistant says.
GENERATION = re.compile(r"\{%[-+]?\s*(?:end)?generation\s*[-+]?%\}")


def comes_with(folder: Path, settings: Mapping[str, Any]) -> bool:
    """Whether a chat template lies in the folder.

    Args:
        settings: of tokenizer_config.json.

    Raises:
        SourceError: one that does not compile, told without the engines that would find it out after minutes.
    """
    where, text = _found(folder)
    if why := _broken(text):
        raise SourceError(
            f"{where}: the chat template does not compile: {why}",
            next=f"get {where} again from its publisher, or mend the template (a {FILE} in the folder goes before it)",
        )
    return bool(settings.get("chat_template")) or any((folder / name).is_file() for name in (FILE, PLACES[1]))


def written(folder: Path) -> str:
    """The chat template as it stands in the folder, of several the first; empty without one."""
    return _found(folder)[1]


def _found(folder: Path) -> tuple[str, str]:
    if (folder / FILE).is_file():
        return FILE, (folder / FILE).read_text(encoding="utf-8", errors="replace")[:TOKENIZER_LIMIT]
    for name in PLACES:
        stated = optional_json(folder / name).get("chat_template")
        if isinstance(stated, list):
            stated = next((entry.get("template") for entry in stated if isinstance(entry, dict)), None)
        if isinstance(stated, str):
            return name, stated
    return "", ""


def _broken(text: str) -> str:
    """What Jinja says of a template that it cannot parse; "" of any other, and where Jinja is not installed.

    It is not compiled: that already calculates what is constant, and a stranger's constant may be of any size.
    """
    if not text or find_spec("jinja2") is None:  # the light core: a build has it, and its gate asks again
        return ""
    from jinja2 import Environment, TemplateSyntaxError

    jinja = Environment(extensions=["jinja2.ext.loopcontrols"], trim_blocks=True, lstrip_blocks=True)
    try:
        jinja.parse(GENERATION.sub("", text))
    except TemplateSyntaxError as error:
        return f"line {error.lineno}: {' '.join(str(error.message).split())[:200]}"
    except RecursionError:
        return "it is nested too deep"
    return ""
