"""ONNX Runtime's own tables of what its mobile providers take, as they lie in the installed wheel."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

from edgekit.errors import ToolMissing

_ROW = re.compile(r"^\|\s*(com\.microsoft|ai\.onnx)[.:](\w+)\s*\|", re.MULTILINE)
_SPELLED = {"Argmax": "ArgMax"}  # as the table writes it -> as ONNX does


@lru_cache(maxsize=4)
def table(name: str) -> frozenset[str]:
    """The operators of a table, such as "ai.onnx:Conv".

    Raises:
        ToolMissing: the installed onnxruntime has no such table.
    """
    path = files("onnxruntime") / "tools" / "mobile_helpers" / name
    if not path.is_file():
        raise ToolMissing(f"the installed onnxruntime has no {name}", next="pip install 'onnxruntime>=1.26'")
    text = path.read_text(encoding="utf-8")
    return frozenset(f"{domain}:{_SPELLED.get(op, op)}" for domain, op in _ROW.findall(text))
