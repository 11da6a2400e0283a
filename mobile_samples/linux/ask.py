"""Ask a language model's bundle one question, through the runtime that lies in it: python ask.py BUNDLE QUESTION."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> int:
    """The exit code: 0, or 1 where the bundle cannot be used here."""
    if len(sys.argv) != 3:
        sys.exit("usage: python ask.py BUNDLE QUESTION")
    folder, question = Path(sys.argv[1]), sys.argv[2]
    sys.path.insert(0, str(folder / "runtime" / "python"))
    from edgekit_runtime import Refused, open_bundle

    try:
        bundle = open_bundle(folder)
        if bundle.form != "genai":
            sys.exit(f"{folder} is no language model")
        for piece in bundle.generate([{"role": "user", "content": question}]):
            print(piece, end="", flush=True)
    except Refused as error:
        print(f"{error}\n{error.next}", file=sys.stderr)
        return 1
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
