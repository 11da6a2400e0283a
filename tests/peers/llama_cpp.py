"""llama.cpp itself, for tests only: the library of a pinned wheel, asked for token ids in a process of its own.

The wheel is xllamacpp's (MIT), whose library exports llama.cpp's C functions; nothing of the package's own code runs.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from pathlib import Path

REF = "pypi:xllamacpp==2026.10.11549#xllamacpp/xllamacpp.abi3.so"
SHA256 = "78dcbbfcc861ee3377554325dc12864829a76ec3de6f1882886d4a82a2def7f5"
VOCAB_ONLY = 72  # where this flag lies in llama_model_params of this release
ROOM = 512  # bytes, more than the structure has: it is passed on as it came


def library() -> Path:
    """The library, fetched once."""
    from edgekit.sources import pypi

    folder = pypi.download(pypi.parse(f"{REF}@sha256={SHA256}"), lambda line: None)
    return folder / "files" / Path(REF).name


def tokenize(gguf: Path, texts: list[str]) -> list[list[int]]:
    """Token ids of each text, special tokens read in it and put around it as the file says."""
    done = subprocess.run(
        [sys.executable, __file__, library(), gguf], input=json.dumps(texts), capture_output=True, text=True, check=True
    )
    ids: list[list[int]] = json.loads(done.stdout)
    return ids


class _Params(ctypes.Structure):
    _fields_ = [("raw", ctypes.c_ubyte * ROOM)]


def _main(path: str, gguf: str) -> None:
    lib = ctypes.CDLL(path)
    quiet = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *line: None)
    lib.llama_log_set(quiet, None)
    lib.llama_model_default_params.restype = _Params
    lib.llama_model_load_from_file.restype = lib.llama_model_get_vocab.restype = ctypes.c_void_p
    lib.llama_model_load_from_file.argtypes = [ctypes.c_char_p, _Params]
    lib.llama_model_get_vocab.argtypes = [ctypes.c_void_p]
    vocabulary, text, ids, flag = ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_int32), ctypes.c_bool
    lib.llama_tokenize.argtypes = [vocabulary, text, ctypes.c_int32, ids, ctypes.c_int32, flag, flag]
    params = lib.llama_model_default_params()
    params.raw[VOCAB_ONLY] = 1
    model = lib.llama_model_load_from_file(gguf.encode(), params)
    if not model:
        raise SystemExit(f"llama.cpp does not load {gguf}")
    words, answers = lib.llama_model_get_vocab(model), []
    for each in json.load(sys.stdin):
        data = each.encode()
        room = (ctypes.c_int32 * (len(data) + 8))()
        count = lib.llama_tokenize(words, data, len(data), room, len(room), True, True)
        answers.append(list(room[:count]))
    print(json.dumps(answers))


if __name__ == "__main__":
    _main(*sys.argv[1:])
