"""Read a manifest that may come from anybody: bounded in size and depth, one meaning, no path outside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from edgekit.contract.manifest import FEATURES, FORMAT, NAME, SIGNATURES, Manifest, Role, seal_digest, subject
from edgekit.data import first_fault, nearest, pretty
from edgekit.errors import BundleError, from_oserror
from edgekit.wrappers.python import guard, paths
from edgekit.wrappers.python import strict as strict_json
from edgekit.wrappers.python.manifest import adapter as file_of

MAX_BYTES = 8 * 2**20
MAX_SIGNATURE = 2**20  # bytes
MAX_FILE = 2**50  # bytes; a size beyond this is a lie
GIVE = "give the folder or the .zip that edgekit build wrote"
REBUILD = "build the bundle again, or fetch it again"
ANEW = "rebuild this bundle with this edgekit (edgekit build replaces it)"
UPGRADE = "pip install --upgrade edgekit-ai"
FOLDERS: dict[str, Role] = {
    "model": "model",
    "check": "check",
    "runtime": "runtime",
    "LICENSES": "license",
    SIGNATURES: "signature",
}
_SHA256 = re.compile(r"[0-9a-f]{64}")


def read(folder: Path, *, strict: bool = False) -> Manifest:
    """The manifest of the bundle in `folder`.

    Args:
        folder: a bundle's folder. Only edgekit.json is read; `verify` looks at the other files.
        strict: refuse keys that this reader does not know, as on writing; else ignore them, as an app must.

    Raises:
        BundleError: no bundle, not readable, changed after it was sealed, for a newer reader, or hostile.
    """
    return parse(raw_manifest(folder), strict=strict)


def name_of(folder: Path) -> str:
    """The name of the bundle in `folder`, which another edgekit may have sealed in another format.

    Raises:
        BundleError: no bundle of any format, or not readable.
    """
    data = _json(raw_manifest(folder))
    name = data.get("name")
    if not isinstance(name, str) or not isinstance(data.get("format"), str) or not isinstance(data.get("files"), list):
        _refuse("it is no bundle's")
    return name


def raw_manifest(folder: Path) -> bytes:
    """The bytes of a bundle folder's edgekit.json, one more than MAX_BYTES at most; raises as `read` does."""
    path = folder / NAME
    try:
        if not folder.is_dir():
            raise BundleError(f"{folder} is not a bundle: no such folder", next=GIVE)
        if not path.is_file():  # opening a pipe here would never end
            raise BundleError(f"{folder} is not a bundle: it has no {NAME}", next=GIVE)
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise from_oserror(error, f"reading {path}", otherwise=BundleError) from None


def parse(raw: bytes, *, strict: bool = False) -> Manifest:
    """The manifest in these bytes of an edgekit.json; raises as `read` does."""
    data = _json(raw)
    _check_format(data)
    try:
        told, found = data.get("sha256"), seal_digest(data)
    except ValueError as error:  # an infinite number, half a surrogate pair
        _refuse(str(error))
    if told == "":
        _refuse("it was never sealed: its build did not end")
    if told != found:
        _refuse("it was changed after it was sealed (its sha256 does not match)")
    try:
        manifest = Manifest.model_validate(data, extra="forbid" if strict else "ignore")
    except ValidationError as error:
        _refuse(_explain(error))
    _check_paths(manifest)
    return manifest


def is_as_written(raw: bytes) -> bool:
    """True when the bytes are just what `seal` writes: a manifest's digest does not see white space."""
    return raw == pretty(_json(raw)).encode()


def place(path: str) -> tuple[Role, str | None] | None:
    """The role and variant that a file has by where it lies; None where a bundle has no files."""
    first, *rest = path.split("/")
    if first not in FOLDERS or not rest:
        return None
    if first != "model":
        return FOLDERS[first], None
    return ("model", rest[0]) if len(rest) > 1 else None  # every model file is in model/<variant>/


def is_signature(path: str, size: int) -> bool:
    """True for a file that may lie beside those of the manifest: it signs the manifest, so that cannot list it."""
    return path.startswith(f"{SIGNATURES}/") and size <= MAX_SIGNATURE and not paths.why_unsafe(path)


def _json(raw: bytes) -> dict[str, Any]:
    """Parse strictly: one meaning for every reader, and no more work than the bytes are worth."""
    try:
        data = strict_json.loads(raw, names=True, max_bytes=MAX_BYTES)
    except ValueError as error:  # also UnicodeDecodeError and JSONDecodeError
        _refuse(f"it is not valid JSON ({error})")
    if not isinstance(data, dict):
        _refuse("it is not a JSON object")
    return data


def _check_format(data: dict[str, Any]) -> None:
    """Refuse what this reader cannot know before it looks at anything else."""
    version = data.get("format")
    if not isinstance(version, str):
        _refuse(f"it names no format such as {FORMAT!r}")
    if version != FORMAT:
        another = _cut(repr(version))
        raise BundleError(f"{NAME} has format {another}; this edgekit reads {FORMAT!r} alone", next=ANEW)
    needs = data.get("requires", [])
    if not isinstance(needs, list) or not all(isinstance(word, str) for word in needs):
        _refuse("its `requires` is not a list of names")
    lacking = sorted(set(needs) - FEATURES)
    if lacking:
        raise BundleError(f"the bundle needs what this edgekit cannot do: {_cut(repr(lacking)[1:-1])}", next=UPGRADE)


def _check_paths(manifest: Manifest) -> None:
    """Every path is safe and means the same everywhere, and every reference is to a listed file."""
    variants = {variant.name for variant in manifest.variants}
    for what, path in _names(manifest):
        why = paths.why_unsafe(path)
        if why or (what == "name" and "/" in path):
            _refuse(f"the {what} {_cut(path)!r} is not safe: {why or 'it has a slash'}")
    twice = paths.clash([NAME, *(file.path for file in manifest.files)])
    twice = twice or paths.clash(variant.name for variant in manifest.variants)
    if twice:
        _refuse(f"{_cut(twice)} are the same to some file systems")
    for file in manifest.files:
        if place(file.path) != (file.role, file.variant) or not {file.variant} <= variants | {None}:
            _refuse(f"{_cut(file.path)!r} does not lie where a file of its role and variant lies")
        if file.role == "signature":
            _refuse(f"{_cut(file.path)!r} is among its files, and a signature is of the manifest itself")
        if not 0 <= file.size <= MAX_FILE or not _SHA256.fullmatch(file.sha256):
            _refuse(f"the size or sha256 of {_cut(file.path)!r} is impossible")
    _check_references(manifest)


def _check_references(manifest: Manifest) -> None:
    held = {(file.variant, above) for file in manifest.files for above in _path_and_parents(file.path)}
    for variant in manifest.variants:
        if (variant.name, variant.path) not in held:
            _refuse(f"variant {_cut(variant.name)!r} points to {_cut(variant.path)!r}, where it has no file")
        where = f"variant {_cut(variant.name)!r}"
        for why in guard.options(variant.ep, variant.ep_options, where):  # providers load libraries by some
            _refuse(why)
    worn = getattr(manifest.contract, "adapters", ())
    named = {f"{it.path}/{file_of(name)}": subject(it.name, name) for it in manifest.variants for name in worn}
    if strange := sorted(manifest.quality.keys() - {subject(it.name) for it in manifest.variants} - {*named.values()}):
        _refuse(f"its quality is of the variant {_cut(strange[0])!r}, which it has not")
    listed = {file.path for file in manifest.files}
    for path in (*manifest.contract.files(), *named):
        if path not in listed:
            _refuse(f"the {'adapter' if path in named else 'labels'} {_cut(path)!r} are not among its files")


def _names(manifest: Manifest) -> Iterator[tuple[str, str]]:
    yield "name", manifest.name
    for variant in manifest.variants:
        yield "name", variant.name
        yield "path", variant.path
    for file in manifest.files:
        yield "path", file.path


def _path_and_parents(path: str) -> Iterator[str]:
    yield path
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _explain(error: ValidationError) -> str:
    path, message, first = first_fault(error)
    where = _cut(path)
    if first["type"] == "extra_forbidden":
        hint = nearest(str(first["loc"][0])[:80], Manifest.model_fields) if len(first["loc"]) == 1 else ""
        return f"unknown key {where!r}{hint}"
    return f"{where!r}: {_cut(message.lower())}"


def _cut(text: str) -> str:
    """At most 120 characters of a stranger's text: a message stays one line."""
    return text if len(text) <= 120 else f"{text[:117]}..."


def _refuse(why: str) -> NoReturn:
    plain = "".join(character if character.isprintable() else "?" for character in why)  # no escape sequences
    raise BundleError(f"{NAME} cannot be used: {plain}", next=REBUILD)
