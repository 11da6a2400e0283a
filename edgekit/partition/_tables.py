"""ONNX Runtime's own tables of what its mobile providers take, as they lie in the installed wheel."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from edgekit.errors import ToolMissing

_ROW = re.compile(r"^\|\s*(com\.microsoft|ai\.onnx)[.:](\w+)\s*\|", re.MULTILINE)
_SPELLED = {"Argmax": "ArgMax"}  # as the table writes it -> as ONNX does


@lru_cache(maxsize=4)
def table(name: str) -> frozenset[str]:
    """The operators of a table, such as "ai.onnx:Conv".

    Raises:
        ToolMissing: the installed onnxruntime has no such table.
    """
    spec = find_spec("onnxruntime")  # importing the engine to read a text would take a second
    places = (spec and spec.submodule_search_locations) or ()
    path = next((file for place in places if (file := Path(place, "tools", "mobile_helpers", name)).is_file()), None)
    if path is None:
        raise ToolMissing(f"the installed onnxruntime has no {name}", next="pip install 'onnxruntime>=1.26'")
    text = path.read_text(encoding="utf-8")
    return frozenset(f"{domain}:{_SPELLED.get(op, op)}" for domain, op in _ROW.findall(text))
