"""SentencePiece itself, for tests only: the package out of its wheel, not installed, in a process of its own.

Installed beside transformers it would change how that reads tokenizers, and users' machines do not have it.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any, NamedTuple

PACKAGE = "sentencepiece==0.2.3"


class Read(NamedTuple):
    """A SentencePiece model, and how it cuts texts.

    Attributes:
        pieces: text, score and type of each; the numbers of the types are GGUF's.
        prefix: whether a space is put before a text.
        ids: of each text, none put around it.
    """

    pieces: list[tuple[str, float, int]]
    prefix: bool
    ids: list[list[int]]


def read(texts: list[str], *, model: Path | None = None, **training: Any) -> Read:
    """Of a .model file, or of one trained on the spot.

    Args:
        texts: to cut.
        model: the file.
        training: SentencePiece's own options, `sentences` (a list) instead of its input.
    """
    request = {"texts": texts, "model": model and str(model), "training": training}
    done = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps(request),
        env={**os.environ, "PYTHONPATH": str(_package())},
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    return Read([tuple(piece) for piece in answer["pieces"]], answer["prefix"], answer["ids"])


def _package() -> Path:
    """The folder that Python finds the package in, made once."""
    from edgekit import cache

    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", PACKAGE]
    key = {"pip": PACKAGE, "python": sys.implementation.cache_tag, "platform": sysconfig.get_platform()}
    return (
        cache.produce(
            "downloads",
            key,
            lambda to: subprocess.run([*pip, "--target", to / "site"], check=True) and None,
            what=PACKAGE,
        ).path
        / "site"
    )


def _main() -> None:
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2

    request = json.load(sys.stdin)
    if request["model"]:
        data = Path(request["model"]).read_bytes()
    else:
        options, written = request["training"], io.BytesIO()
        sentences = iter(options.pop("sentences"))
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=sentences, model_writer=written, minloglevel=2, **options
        )
        data = written.getvalue()
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(data)
    processor = sentencepiece.SentencePieceProcessor(model_proto=data)
    pieces = [(piece.piece, piece.score, int(piece.type)) for piece in proto.pieces]
    ids = [processor.encode(text) for text in request["texts"]]
    print(json.dumps({"pieces": pieces, "prefix": proto.normalizer_spec.add_dummy_prefix, "ids": ids}))


if __name__ == "__main__":
    _main()
