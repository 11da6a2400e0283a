"""What people bring that no place takes: told by its bytes, a zip's members or its name; nothing is loaded."""

from __future__ import annotations

import tomllib
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from edgekit import files
from edgekit.errors import SourceError

HEAD = 512  # bytes in which every format here shows itself
COUNT = 10_000  # names that are looked at, of a zip or a folder
PICKLED = ("data.pkl", "*/data.pkl", "*/constants.pkl")  # in what torch.save and TorchScript write
TIMM = "timm_wrapper"  # a model of timm as transformers saves it
MODELS = ("*.onnx", "*.gguf", "*config.json", "*.safetensors", "*saved_model.pb", "*.tflite")


@dataclass(frozen=True)
class Form:
    """A row of foreign.toml, which says what the fields mean."""

    what: str
    next: str
    starts: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    alone: bool = False

    def begins(self, head: bytes) -> bool:
        """Whether a file's first bytes are of this form."""
        places = (place.partition(":") for place in self.starts)
        return any(head.startswith(text.encode("latin-1"), int(at)) for at, _, text in places)

    def named(self, name: str) -> bool:
        """Whether a file or folder of this name is of this form."""
        return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in self.names)

    def error(self, path: Path, shown: str) -> SourceError:
        """What `shown`, the file or folder of `path`, is, and what to give instead."""
        words = {"path": path, "stem": path.stem, "folder": path.parent, "name": path.absolute().parent.name}
        return SourceError(f"{shown} is {self.what}", next=self.next.format(**words))


@cache
def forms() -> tuple[Form, ...]:
    """The rows, in the order in which they are asked."""
    rows = tomllib.loads(files.resource("sources/facts/foreign.toml").read_text(encoding="utf-8"))["form"]
    lists = ("starts", "members", "names")
    return tuple(Form(**{**row, **{key: tuple(row.get(key, ())) for key in lists}}) for row in rows)


def content(path: Path) -> SourceError | None:
    """What a file is by its bytes, whatever its name says; None where they do not tell."""
    head, members = _head(path), _members(path)
    for form in forms():
        if form.begins(head) or _matching(members, form.members):
            return form.error(path, path.name)
    if members and not _matching(members, PICKLED):
        inside = _matching(members, MODELS) or "none is seen by its name"
        return SourceError(f"{path.name} is an archive", next=f"unpack it, and give the model in it ({inside[:120]})")
    return None


def of(path: Path) -> SourceError | None:
    """What a file or a folder is that no place takes; None where nothing tells."""
    if path.is_dir():
        return _folder(path)
    if told := content(path):
        return told
    return next((form.error(path, path.name) for form in forms() if form.named(path.name)), None)


def named(name: str) -> bool:
    """Whether a file of this name, which need not exist, would be of one of the forms."""
    return any(form.named(name) for form in forms())


def among(names: Iterable[str]) -> str:
    """ "net/m.tflite, a TensorFlow Lite model": the first of these files that is of a form; empty without one."""
    forms_of = ((name, form) for form in forms() if not form.alone for name in names if form.named(Path(name).name))
    return next((f"{name}, {form.what}" for name, form in forms_of), "")


def instead(path: Path, error: SourceError) -> SourceError:
    """What the bytes of a file that cannot be read tell, else `error`."""
    return content(path) or error


def pickled(path: Path) -> bool:
    """True for a file of which Python's pickle is the format, or a part."""
    return _head(path).startswith(b"\x80") or bool(_matching(_members(path), PICKLED))


def configured(folder: Path, config: Mapping[str, Any]) -> SourceError | None:
    """Whose config.json it is that names no architecture of transformers; None where nothing tells."""
    settings = config.get("pretrained_cfg")
    if "architecture" in config and (isinstance(settings, dict) or "num_features" in config):
        net = str(config["architecture"])[:80]
        size = ", ".join(str(part) for part in dict(settings or {}).get("input_size", ())) or "3, 224, 224"
        return SourceError(
            f"{folder.name} is a model of timm ({net})",
            next=f"export it: torch.onnx.export(timm.create_model({net!r}, pretrained=True).eval(), "
            f"(torch.zeros(1, {size}),), 'model.onnx', dynamo=True), and give model.onnx",
        )
    if {"class_name", "module"} <= config.keys():
        return SourceError(
            f"{folder.name} is a model of Keras ({str(config['class_name'])[:80]})",
            next="export it (Keras 3.8 or newer): model.export('model.onnx', format='onnx'), and give model.onnx",
        )
    if name := config.get("_class_name"):
        return SourceError(
            f"{folder.name} is one net of diffusers ({str(name)[:80]})",
            next="export its pipeline (optimum-cli export onnx --model FOLDER NEW), and give the net's model.onnx",
        )
    return _folder(folder)


def _folder(path: Path) -> SourceError | None:
    names = sorted(entry.name for entry, _ in zip(path.iterdir(), range(COUNT), strict=False))
    for form in (form for form in forms() if not form.alone):
        if form.named(path.absolute().name):
            return form.error(path, path.absolute().name)
        if told := next((name for name in names if form.named(name)), None):
            return form.error(path / told, f"{path.absolute().name} ({told})")
    return None


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(HEAD)
    except OSError:
        return b""


def _members(path: Path) -> list[str]:
    """The names in a zip; none of any other file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [info.filename for info in archive.infolist()[:COUNT]]
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError):
        return []


def _matching(names: Iterable[str], patterns: Iterable[str]) -> str:
    """The first of the names that fits one of the patterns; empty without one."""
    return next((name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)), "")
