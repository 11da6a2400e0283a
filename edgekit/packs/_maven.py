"""The Maven layout of one artifact: GROUP/NAME/VERSION/ with its file, a POM, and Gradle's .module, with digests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from edgekit import __version__
from edgekit.bundle.stage import write
from edgekit.data import pretty

GROUP = "edgekit"
_WHEN = (1980, 1, 1, 0, 0, 0)  # of every entry: the same sources give the same bytes
_POM = """\
<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <!-- do_not_remove: published-with-gradle-metadata -->
  <modelVersion>4.0.0</modelVersion>
  <groupId>{group}</groupId>
  <artifactId>{name}</artifactId>
  <version>{version}</version>
  <packaging>{form}</packaging>
  <licenses><license><name>Apache-2.0</name></license></licenses>
  <dependencies>
{dependencies}  </dependencies>
</project>
"""
_DEPENDENCY = """\
    <dependency>
      <groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version><scope>compile</scope>
    </dependency>
"""


@dataclass(frozen=True)
class Artifact:
    """An artifact: its name, the form of its file (jar or aar), and what it depends on as (group, name, version)."""

    name: str
    form: str
    dependencies: Sequence[tuple[str, str, str]]

    @property
    def line(self) -> str:
        """As Gradle writes a dependency on it."""
        return f"{GROUP}:{self.name}:{__version__}"

    @property
    def file(self) -> str:
        """Its file's path below the repository."""
        return f"{GROUP}/{self.name}/{__version__}/{self.name}-{__version__}.{self.form}"


def archive(path: Path, entries: Mapping[str, bytes]) -> None:
    """A .jar or .aar of these entries, in the order of their names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(path, "w", ZIP_DEFLATED) as out:
        for name in sorted(entries, key=lambda entry: (entry != "META-INF/MANIFEST.MF", entry)):
            out.writestr(ZipInfo(name, _WHEN), entries[name], ZIP_DEFLATED)


def publish(repository: Path, artifact: Artifact, attributes: Mapping[str, str]) -> None:
    """Put the POM and the .module beside an artifact's file, which is there, and a digest beside each of the three.

    Args:
        attributes: Gradle's, of both variants, by which a build chooses.
    """
    file = repository / artifact.file
    known = {"group": GROUP, "name": artifact.name, "version": __version__}
    dependencies = "".join(_DEPENDENCY.format(*map(escape, each)) for each in artifact.dependencies)
    write(file.with_suffix(".pom"), _POM.format(**known, form=artifact.form, dependencies=dependencies))
    asked = [{"group": group, "module": name, "version": {"requires": at}} for group, name, at in artifact.dependencies]
    listed = [{"name": file.name, "url": file.name, "size": file.stat().st_size, "sha256": _sha256(file)}]
    component = {"group": GROUP, "module": artifact.name, "version": __version__}
    variants: list[dict[str, object]] = [
        {
            "name": f"{usage}Elements",
            "attributes": dict(attributes) | {"org.gradle.category": "library", "org.gradle.usage": f"java-{usage}"},
            "dependencies": asked,
            "files": listed,
        }
        for usage in ("api", "runtime")
    ]
    write(file.with_suffix(".module"), pretty({"formatVersion": "1.1", "component": component, "variants": variants}))
    for path in (file, file.with_suffix(".pom"), file.with_suffix(".module")):
        write(path.with_name(f"{path.name}.sha256"), _sha256(path))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
