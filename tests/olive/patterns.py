"""Small tokenizers with the patterns of published ones, and sources to cut: what differs is the pattern alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from sysconfig import get_path

from tests.olive import tiny_llm

SUFFIX = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
ENDS = r"\s*[\r\n]+|\s+(?!\S)|\s+"
# As tokenizer.json of Phi-4-mini (o200k) and of Phi-4 (cl100k) has them.
O200K = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{SUFFIX}|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{SUFFIX}"
    rf"|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{ENDS}"
)
CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{ENDS}"
)
SOURCES = (".c", ".cpp", ".h", ".java", ".js", ".py")
BLANK = "\u2581"  # SentencePiece's


def texts(characters: int, *more: Path) -> list[str]:
    """So many characters of each kind of source that installed packages and more folders have, in whole files."""
    return [text for kind in by_kind(characters, *more).values() for text in kind]


def by_kind(characters: int, *more: Path) -> dict[str, list[str]]:
    """The same, by suffix."""
    root = Path(get_path("purelib"))
    roots = [root, Path(json.__file__).parent]  # a worktree's own folder holds nothing but links
    roots += [
        Path(line) for path in root.glob("*.pth") for line in path.read_text().splitlines() if Path(line).is_dir()
    ]
    kinds: dict[str, list[str]] = {suffix: [] for suffix in SOURCES}
    for suffix, kept in kinds.items():
        left = characters
        for text in _files([*roots, *more], suffix):
            if left <= 0:
                break
            kept.append(text)
            left -= len(text)
    return kinds


def _files(roots: list[Path], suffix: str) -> Iterator[str]:
    for root in roots:
        for path in sorted(root.rglob(f"*{suffix}")):
            if 2000 < path.stat().st_size < 60_000:
                text = path.read_text(encoding="utf-8", errors="replace")
                if "\0" not in text and "\ufffd" not in text:
                    yield text


def byte_level(folder: Path, pattern: str, special: Sequence[str] = tiny_llm.SPECIAL) -> Path:
    """A byte-level BPE of this pattern in the folder of a checkpoint."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    bpe = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(pattern), behavior="removed", invert=True)
    bpe.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=tiny_llm.VOCAB,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    code = ["int f(void) {\n    return 0;\n}\n\n// see\n/* a */\n" * 50, *texts(8_000)]
    bpe.train_from_iterator(code, trainer)
    bpe.save(str(folder / "tokenizer.json"))
    return folder


def sentencepiece(folder: Path) -> Path:
    """A BPE without a pattern, as Phi-3's and Llama 2's: blanks are letters, what has no token is bytes."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    bpe = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    bpe.normalizer = normalizers.Sequence([normalizers.Prepend(BLANK), normalizers.Replace(" ", BLANK)])
    words = Regex(
        rf"{BLANK}+(?={BLANK}[^{BLANK}])|{BLANK}?\p{{L}}+|{BLANK}?[^{BLANK}\s\p{{L}}\p{{N}}]+|{BLANK}+|[\s\p{{N}}]"
    )
    bpe.pre_tokenizer = pre_tokenizers.Split(words, "isolated")  # no token reaches over them; they are not kept
    special = ["<unk>", "<s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=tiny_llm.VOCAB, special_tokens=special, show_progress=False)
    # "the" is a token wherever it stands, whatever today's packages say: without it no contraction is cut otherwise.
    bpe.train_from_iterator(["x  1,\n    0\n(the)\n" * 50, *texts(8_000)], trainer)
    document = json.loads(bpe.to_str()) | {"pre_tokenizer": None}
    document["added_tokens"] = [entry for entry in document["added_tokens"] if not entry["content"].startswith("<0x")]
    steps = [decoders.Replace(BLANK, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    document["decoder"] = json.loads(decoders.Sequence(steps).__getstate__())
    (folder / "tokenizer.json").write_text(json.dumps(document))
    return folder
