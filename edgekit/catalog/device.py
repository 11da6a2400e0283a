"""Device: what is known of a phone, a board or a PC that models run on, and of the limits of its system.

A value stands in a table with the place where it was read; what nobody published is not there, and nothing is guessed.
"""

from __future__ import annotations

import difflib
import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from edgekit import files, strangers
from edgekit.data import Strict, first_fault
from edgekit.errors import UsageError

Source = Annotated[str, Field(min_length=12, description="where it was read")]
Where = Literal["cpu", "gpu", "npu"]
GIB = 1 << 30  # what a shop calls a GB of memory


class System(Strict):
    """What runs on it."""

    os: Literal["android", "ios", "linux", "windows"]
    abi: Literal["aarch64", "x86_64"]
    source: Source


class Ram(Strict):
    """Memory, as sold."""

    gb: float = Field(gt=0)
    source: Source


class Soc(Strict):
    """The chip; `model` as ro.soc.model and targets name it."""

    name: str
    model: str = ""
    source: Source


class Bandwidth(Strict):
    """What its memory delivers at most, 1e9 bytes a second."""

    gb_per_s: float = Field(gt=0)
    source: Source


class Cpu(Strict):
    """Its cores, by kind: how many, and their highest clock."""

    cores: tuple[tuple[int, float], ...] = Field(description="[count, GHz]")
    source: Source


class Npu(Strict):
    """Its accelerator."""

    name: str
    htp_arch: str = Field(default="", description="the Hexagon version, as targets name it")
    source: Source


class Published(Strict):
    """One figure that somebody published of a model on it."""

    model: str = Field(description="of the catalogue")
    where: Where
    engine: str
    precision: Literal["q4_0", "8da4w", "int4", "w4a16", "4-bit"]
    decode_tps: float | None = Field(default=None, gt=0)
    prefill_tps: float | None = Field(default=None, gt=0)
    prompt: int | None = Field(default=None, gt=0, description="tokens")
    memory_mb: float | None = Field(default=None, gt=0)
    note: str = ""
    source: Source


class Device(Strict):
    """One device. Every key is checked."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    title: str
    kind: Literal["phone", "board", "pc"]
    also: tuple[str, ...] = Field(default=(), description="other names that people give it")
    system: System
    ram: Ram | None = None
    soc: Soc | None = None
    bandwidth: Bandwidth | None = None
    cpu: Cpu | None = None
    npu: Npu | None = None
    published: tuple[Published, ...] = ()

    @property
    def ram_bytes(self) -> int | None:
        """Its memory; None where nobody published it."""
        return None if self.ram is None else int(self.ram.gb * GIB)

    @property
    def cycles_per_s(self) -> float | None:
        """Of all cores together, at their highest clock; None where they are not published."""
        return None if self.cpu is None else sum(count * ghz for count, ghz in self.cpu.cores) * 1e9


class Limit(Strict):
    """How much of the memory an app may take on a system, as far as anybody measured it."""

    share: float | None = Field(default=None, gt=0, le=1, description="of the memory; None: nobody measured one")
    counts: Literal["anonymous", "all"] = Field(description="what the system counts")
    what: str
    measured_by: str = ""
    entitlements: tuple[str, ...] = Field(default=(), description="what an app with a large model asks for")
    store: str = Field(default="", description="what the system's store allows of a model's files")
    pack_bytes: int | None = Field(default=None, description="of a pack of the store, at most")
    all_bytes: int | None = Field(default=None, description="of all packs of an app, at most")
    source: Source


def names() -> list[str]:
    """The names of the device cards, sorted."""
    return sorted(path.stem for path in _folder().glob("*.toml"))


def load(name: str) -> Device:
    """The card of this name."""
    path = _folder() / f"{name}.toml"
    return Device.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))


@cache
def devices() -> tuple[Device, ...]:
    """All cards."""
    return tuple(load(name) for name in names())


@cache
def limits() -> dict[str, Limit]:
    """The limit of each system."""
    text = files.resource("catalog/limits.toml").read_text(encoding="utf-8")
    return {os: Limit.model_validate(table) for os, table in tomllib.loads(text).items()}


def find(name: str) -> Device:
    """The device that a user names, by its card's name, its title or another name of it; or a card's .toml file.

    Raises:
        UsageError: no card has that name, or the file is no card.
    """
    if name.endswith(".toml"):
        return _own(Path(name))
    known = {_plain(word): device for device in devices() for word in (device.name, device.title, *device.also)}
    device = known.get(_plain(name))
    if device is None:
        listed = [device.title for device in devices()]
        words = {
            word.lower(): word for word in (*listed, *names(), *(more for each in devices() for more in each.also))
        }
        close = difflib.get_close_matches(name.lower(), words, n=1)
        hint = f"; did you mean {words[close[0]]!r}?" if close else ""
        raise UsageError(f"unknown device {name[:80]!r}{hint}", next=f"--ram 8GB, or one of: {', '.join(listed)}")
    return device


def _own(path: Path) -> Device:
    try:
        return Device.model_validate(strangers.toml(path))
    except ValidationError as error:  # a ValueError, as what `strangers` raises is
        where, message, _ = first_fault(error)
        raise UsageError(f"{path.name}: {where}: {message.lower()}", next="correct the card") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path.name} is no readable card of a device: {error}", next="give another file") from None


def _plain(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum())


def _folder() -> Path:
    return files.resource("catalog/devices")
