"""Small things every reader needs: JSON with limits, names, licences."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

from edgekit.errors import SourceError

AGAIN = "the file is damaged or half downloaded: get it again and compare its sha256 with the publisher's"
PICKLES = (".bin", ".pth", ".pt", ".ckpt", ".pkl", ".pickle", ".joblib", ".jit", ".ptl")  # the last two: TorchScript
# File names that say nothing about the model; the folder's or the package's name does.
GENERIC = ("model", "onnx", "snapshot", "pytorch_model", "main", "files")
JSON_LIMIT = 64 << 20  # bytes; the largest tokenizer.json in use (Gemma 3) has 33 MB


def read_json(path: Path, limit: int = JSON_LIMIT) -> dict[str, Any]:
    """A JSON object from a file of the model.

    Raises:
        SourceError: missing, larger than `limit` bytes, not JSON, nested too deep, or not an object.
    """
    try:
        if path.stat().st_size > limit:
            raise SourceError(f"{path.name} is larger than {limit >> 20} MB", next="give a model's own folder")
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise SourceError(f"cannot read {path.name}: {error.strerror}", next="give the model's whole folder") from None
    except (ValueError, RecursionError):
        raise SourceError(f"{path.name} is not readable JSON", next=AGAIN) from None
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
    """The model's name from its file or folder; the folder above is asked where the name says nothing."""
    path = path.absolute()
    named = path.stem if path.suffix in (".onnx", ".gguf") else path.name
    if named.lower() in GENERIC and path.parent.name:
        named = path.parent.name
    return slug(named)


def licence_files(folder: Path) -> tuple[Path, ...]:
    """The licence and notice files at the top of a folder."""
    pattern = re.compile(r"(licen[cs]e|notice|copying)", re.IGNORECASE)
    texts = (path for path in folder.iterdir() if path.suffix in ("", ".txt", ".md", ".rst") and path.is_file())
    return tuple(sorted(path for path in texts if pattern.match(path.name)))


def licence_of(folder: Path) -> str:
    """The licence in the front matter of the model's README ("license: apache-2.0"), else "unknown"."""
    readme = folder / "README.md"
    if not readme.is_file() or readme.stat().st_size > JSON_LIMIT:
        return "unknown"
    text = readme.read_text(encoding="utf-8", errors="replace")
    front = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
    stated = re.search(r"^license:\s*['\"]?([\w.+-]+)", front[1], re.MULTILINE) if front else None
    return stated[1] if stated else "unknown"
