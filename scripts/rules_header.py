"""Print edgekit/wrappers/cpp/src/rules.h: the rules of the Python runtime, for the C++ core.

python scripts/rules_header.py > edgekit/wrappers/cpp/src/rules.h
"""

from __future__ import annotations

import json

from edgekit.wrappers.python.rules import RULES


def header() -> str:
    """The text of the file."""
    body = json.dumps(RULES, indent=1)
    return (
        "// What a bundle may ask of an engine. Made of wrappers/python/rules.py by scripts/rules_header.py:\n"
        "// change it there, where the reasons are.\n#pragma once\n\nnamespace edgekit {\n\n"
        f'constexpr const char* RULES = R"json(\n{body}\n)json";\n\n}}  // namespace edgekit\n'
    )


if __name__ == "__main__":
    print(header(), end="")
