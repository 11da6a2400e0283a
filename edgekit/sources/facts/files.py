"""Small things every reader needs: JSON with limits, names, licences."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

from edgekit.errors import SourceError
from edgekit.sources.facts import foreign

AGAIN = "the file is damaged or half downloaded: get it again and compare its sha256 with the publisher's"
PICKLES = (".bin", ".pth", ".pt", ".ckpt", ".pkl", ".pickle", ".joblib", ".jit", ".ptl")  # the last two: TorchScript
# File names that say nothing about the model; the folder's or the package's name does.
GENERIC = ("model", "onnx", "snapshot", "pytorch_model", "main", "files")
# ~/.cache/huggingface/hub/models--ORG--NAME/snapshots/COMMIT/config.json -> ../../blobs/DIGEST
HUB, SNAPSHOTS, BLOBS = "models--", "snapshots", "blobs"
JSON_LIMIT = 16 << 20  # bytes; Python makes up to twenty times as many of them. The largest index in use has 9 MB
TOKENIZER_LIMIT = 64 << 20  # bytes; the largest tokenizer.json in use (Gemma 3) has 33 MB
TEXT_LIMIT = 1 << 20  # bytes of a licence file; what is larger is none


def read_json(path: Path, limit: int = JSON_LIMIT) -> dict[str, Any]:
    """A JSON object from a file of the model.

    Raises:
        SourceError: missing, larger than `limit` bytes, not JSON, nested too deep, or not an object.
    """
    try:
        if path.stat().st_size > limit:
            raise SourceError(f"{path.name} is larger than {limit >> 20} MB", next="give a model's own folder")
        data = json.loads(path.read_bytes().decode())  # UTF-8, without a mark: others read no more
    except OSError as error:
        raise SourceError(f"cannot read {path.name}: {error.strerror}", next="give the model's whole folder") from None
    except (ValueError, RecursionError):
        raise foreign.instead(path, SourceError(f"{path.name} is not readable JSON", next=AGAIN)) from None
    if not isinstance(data, dict):
        raise SourceError(f"{path.name} holds no JSON object", next=AGAIN)
    return data


def optional_json(path: Path) -> dict[str, Any]:
    """The same for a file that may be absent: {} then."""
    return read_json(path) if path.is_file() else {}


def slug(text: str) -> str:
    """A name that can be a folder on every system: lower case; letters, digits, dots and single dashes."""
    plain = unicodedata.normalize("NFC", text).lower()
    return re.sub(r"[^\w.]+", "-", plain)[:80].strip("-._") or "model"


def name_of(path: Path) -> str:
    """The model's name from its file or folder; the two folders above are asked where the name says nothing.

    A snapshot in a hub's cache (models--ORG--NAME/snapshots/COMMIT) has the repository's.
    """
    path = path.absolute()
    named = path.stem if path.suffix in (".onnx", ".gguf") else path.name
    if (repository := _repository(path)) and (named.lower() in GENERIC or path.parent.name == SNAPSHOTS):
        return slug(repository)
    names = [named, *(above.name for above in path.parents[:2])]
    return slug(next((name for name in names if name and name.lower() not in GENERIC), named))


def _repository(path: Path) -> str:
    """The name of the model in whose part of a hub's cache a path lies; empty anywhere else."""
    homes = [above.parent.name for above in path.parents if above.name == SNAPSHOTS]
    return homes[0].rpartition("--")[2] if homes and homes[0].startswith(HUB) else ""


def license_files(folder: Path) -> tuple[Path, ...]:
    """The licence and notice files at the top of a folder."""
    pattern = re.compile(r"(licen[cs]e|notice|copying)", re.IGNORECASE)
    texts = (path for path in folder.iterdir() if path.suffix in ("", ".txt", ".md", ".rst") and path.is_file())
    named = sorted(path for path in texts if pattern.match(path.name))
    return tuple(path for path in named if path.stat().st_size <= TEXT_LIMIT and not leads_outside(path))


def homes(folder: Path) -> list[Path]:
    """Where the files of a model's folder may really lie: in it, and where a hub's cache keeps a snapshot's.

    A `blobs` that is itself a link is none.
    """
    real = folder.resolve()
    return [real, *(above.parent / BLOBS for above in real.parents if above.name == SNAPSHOTS)]


def leads_outside(path: Path) -> bool:
    """True for a link to a file that lies neither in the link's folder nor where a hub's cache keeps it."""
    return path.is_symlink() and not inside(path.resolve(), path.parent)


def inside(real: Path, folder: Path) -> bool:
    """True for a file that lies where a file of this model's folder may."""
    return any(real.is_relative_to(home) for home in homes(folder))


def check_links(folder: Path) -> None:
    """Refuse a folder whose files link outside, at any depth: what they lead to would end up in a bundle.

    Raises:
        SourceError: one does.
    """
    for path in sorted(folder.rglob("*")):
        below = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in below.parts[:-1])
        if not hidden and path.is_symlink() and not inside(path.resolve(), folder):
            raise SourceError(
                f"{below.as_posix()} is a link that leads out of the model's folder",
                next="copy the real file there (cp -L follows links), or do not use this model",
            )


def license_of(folder: Path) -> str:
    """The licence in the front matter of the model's README ("license: apache-2.0"), else "unknown"."""
    return _front(folder, r"^license:\s*['\"]?([\w.+-]+)") or "unknown"


def base_of(folder: Path) -> str:
    """The model that the README says this one was made from ("base_model: org/name"), as the hub names it; else ""."""
    return _front(folder, r"^base_model:\s*(?:-\s*)?['\"]?([\w.-]+/[\w.-]+)")


def _front(folder: Path, pattern: str) -> str:
    """What a pattern takes out of the front matter of the model's README; "" where it is not there."""
    readme = folder / "README.md"
    if not readme.is_file() or readme.stat().st_size > JSON_LIMIT:
        return ""
    text = readme.read_text(encoding="utf-8", errors="replace")
    front = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
    stated = re.search(pattern, front[1], re.MULTILINE) if front else None
    return stated[1] if stated else ""
