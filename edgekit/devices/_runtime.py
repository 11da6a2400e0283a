"""Which runtime a device gets: the Python wrapper where there is Python with the engines, else edgekit-runner."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import join

from edgekit.bundle.runtime import NAME as PACKAGE
from edgekit.bundle.runtime import OWNS, TRUSTED, WRAPPER, foreign, own, trusted
from edgekit.contract.manifest import NAME, Manifest
from edgekit.data import file_digest
from edgekit.devices._facts import PATHS, VENV, Facts, Python, words
from edgekit.devices._push import Item
from edgekit.errors import ToolMissing
from edgekit.kinds import Form
from edgekit.kinds.variant import Variant
from edgekit.tools import QUIET_ENGINES
from edgekit.wrappers.python.manifest import abi

_QUIET = {name: value for name, value in QUIET_ENGINES.items() if name != "CI"}
_START = f"import runpy; {PATHS}; sys.path[:0] = [sys.argv.pop(1)]; runpy.run_module({PACKAGE!r}, None, '__main__', 1)"


@dataclass(frozen=True)
class Command:
    """A program on the device and its environment."""

    argv: tuple[str, ...]
    env: dict[str, str]


@dataclass(frozen=True)
class Runtime:
    """How a bundle is run on one device.

    Attributes:
        items: what must lie on the device besides the bundle; () where the bundle's own wrapper is trusted.
        program: the interpreter's path, or the runner's within `items`.
        foreign: the bundle is for another platform.
        whose: it is, in words.
    """

    items: tuple[Item, ...]
    program: str
    python: bool
    foreign: bool
    whose: str

    def command(self, bundle: str, own: str) -> Command:
        """What to start, where the bundle lies in `bundle` and `items` in `own` on the device."""
        if not self.python:
            return Command((f"{own}/{self.program}",), {**_QUIET, "LD_LIBRARY_PATH": own})
        folder = own or f"{bundle}/{WRAPPER.rpartition('/')[0]}"
        return Command((self.program, "-I", "-B", "-X", "utf8", "-c", _START, folder), dict(_QUIET))


def choose(bundle: Path, manifest: Manifest, facts: Facts, python: Python | None, *, trust: bool) -> Runtime:
    """The runtime for a bundle on a device.

    Raises:
        BundleError: it is trusted and has no runtime.
        ToolMissing: as `pick`.
    """
    elsewhere = foreign(manifest, facts.os, facts.abi)
    found = pick(facts, python, manifest.variants[0].form)
    if isinstance(found, Path):
        return Runtime(tuple(_runner(found)), found.name, False, elsewhere, f"{found.name}'s")
    if not trust:
        return Runtime(tuple(_wrapper()), found.program, True, elsewhere, OWNS)
    trusted(bundle)
    return Runtime((), found.program, True, elsewhere, TRUSTED)


def pick(facts: Facts, python: Python | None, form: Form) -> Python | Path:
    """What will run models of this form on a device: its Python with the engines, or else edgekit-runner.

    Raises:
        ToolMissing: neither is there; the next step has the line, or both lines, that help.
    """
    from edgekit.devices._runner import find_runner

    if facts.os == "linux" and python is not None and not python.lacks(form):
        return python
    try:
        return find_runner(facts.os, facts.abi)
    except ToolMissing as missing:
        if facts.os != "linux":
            raise
        raise ToolMissing(
            f"{missing.message}; and {_why_no_python(python, form)}",
            next=f"on the device: {pip_line(python, form)}; or here: {missing.next}",
        ) from None


def pip_line(python: Python | None, form: Form) -> str:
    """What to type on a Linux device so that the Python wrapper runs there."""
    lacking = python.lacks(form) if python is not None else Python("", (3, 11)).lacks(form)
    packages = words(name for name in lacking if not name.startswith("python"))
    program = "python3" if python is None or python.version < (3, 11) else python.program
    if python is not None and VENV.removeprefix("~") in python.program:
        return f"{python.program} -m pip install {packages}"
    return f"{join([program])} -m venv {VENV} && {VENV}/bin/pip install {packages}"


def bundle_items(bundle: Path, manifest: Manifest, facts: Facts, runtime: Runtime) -> list[Item]:
    """The files of a bundle that a check on this device reads: no licences, no variant of another platform."""
    fits = {one.name for one in manifest.variants if runtime.foreign or _fits(one, facts)}
    path = bundle / NAME
    items = [Item(NAME, path, path.stat().st_size, file_digest(path))]
    for file in manifest.files:
        if file.role == "license" or (file.role == "runtime" and (runtime.items or not runtime.python)):
            continue
        if (file.variant is None or file.variant in fits) and (bundle / file.path).is_file():
            items.append(Item(file.path, bundle / file.path, file.size, file.sha256))
    return items


def _fits(variant: Variant, facts: Facts) -> bool:
    axes = variant.compatibility
    return (not axes.os or facts.os in axes.os) and (not axes.abi or facts.abi in map(abi, axes.abi))


def _wrapper() -> Iterator[Item]:
    """edgekit's own Python wrapper, under the name it has in bundles."""
    for name, path in own().items():
        yield Item(name, path, path.stat().st_size, file_digest(path))


def _runner(runner: Path) -> Iterator[Item]:
    """The runner, and the engines' libraries that lie beside it."""
    yield Item(runner.name, runner, runner.stat().st_size, file_digest(runner), executable=True)
    for path in sorted(runner.parent.glob("*.so*")):
        if path.is_file():
            yield Item(path.name, path, path.stat().st_size, file_digest(path))


def _why_no_python(python: Python | None, form: Form) -> str:
    if python is None:
        return "the device has no Python"
    version = ".".join(map(str, python.version))
    return f"its Python {version} ({python.program}) lacks {', '.join(python.lacks(form))}"
