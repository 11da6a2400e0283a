"""What each release of ONNX Runtime loads, from releases.toml."""

from __future__ import annotations

import tomllib
from functools import lru_cache

from pydantic import Field

from edgekit import files
from edgekit.data import Strict
from edgekit.errors import UsageError


class Release(Strict):
    """One minor release."""

    version: str
    probed: str = Field(description="the patch release that was looked at")
    opset: int = Field(description="newest released opset of the default domain it loads")
    ir: int = Field(description="newest IR version it loads")


class Contrib(Strict):
    """One com.microsoft operator; versions are of the release that brought a thing."""

    since: str
    inputs: int = Field(description="how many the first release has")
    more_inputs: dict[int, str] = {}
    attributes: dict[str, str] = {}


class Releases(Strict):
    """releases.toml."""

    source: str
    release: tuple[Release, ...]
    dtypes: dict[str, str]
    operators: dict[str, Contrib]

    def of(self, version: str) -> Release:
        """The row of a version, of its minor release or of the newest row below it.

        Raises:
            UsageError: it is older than the table, or no version.
        """
        wanted = numbers(version)[:2]
        rows = [row for row in self.release if numbers(row.version) <= wanted]
        if not rows:
            raise UsageError(
                f"ONNX Runtime {version} is older than {self.release[0].version}, the oldest release that is known",
                next="raise the floor of the runtime package in the target",
            )
        return rows[-1]


def numbers(version: str) -> tuple[int, ...]:
    """(1, 24, 2) of "1.24.2".

    Raises:
        UsageError: it is no version.
    """
    parts = version.split(".")
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise UsageError(f"{version!r} is no version of ONNX Runtime", next='write it as "1.24.2"')
    return tuple(int(part) for part in parts)


@lru_cache(maxsize=1)
def releases() -> Releases:
    """The table."""
    text = files.resource("ep/releases.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    for one in data["operators"].values():
        one["more_inputs"] = {int(count): version for count, version in one.get("more_inputs", {}).items()}
    return Releases.model_validate(data)
