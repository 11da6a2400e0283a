"""edgekit-runner, for devices without Python: where it lies in the cache, and the line that puts it there.

    edgekit runner build linux-aarch64

CACHE/runners/PLATFORM/ then holds the runner and, beside it, the engines that it loads: for Linux those of the wheels
of the versions installed here, for Android what its user puts there (wrappers/cpp/README.md). The compiler is Zig's
where pip has installed it (pip install ziglang), else GCC; Android's is the NDK's.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shlex
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from filelock import FileLock

from edgekit import __version__, cache, console, engines, files, tools
from edgekit.data import file_digest, pretty, write_atomic
from edgekit.errors import BuildError, ToolMissing
from edgekit.wrappers.python.manifest import host_abi, host_os

NAME = "edgekit-runner"
LIBRARY = "libedgekit.so"  # what apps load (wrappers/cpp/src/edgekit.h); it looks for the engines beside itself
SOURCES = files.resource("wrappers/cpp")
GLIBC = "2.28"  # the oldest that the engines' wheels run on; a program of GCC's needs the one it was built with
FLAGS = ("CFLAGS", "CXXFLAGS", "LDFLAGS")  # variables that CMake hands to a compiler
ENGINES = ("onnxruntime", "onnxruntime-genai")
VERSION_S = 30.0
BUILD_S = 900.0  # seconds; it takes one minute on two cores
FETCH_S = 1800.0
_MADE_OF = "runner.json"
_NDK = ("ANDROID_NDK_HOME", "ANDROID_NDK_ROOT", "ANDROID_NDK")
_GLIBC = ("2_28", "2_27", "2_24", "2_17")  # of the wheels, newest first: manylinux_2_28_aarch64, ...


@dataclass(frozen=True)
class Platform:
    """A kind of device that the runner can be built for.

    Attributes:
        os, abi: as manifests name them.
        android_abi: as the NDK names it; empty on Linux.
    """

    os: str
    abi: str
    android_abi: str = ""

    @property
    def name(self) -> str:
        """ "linux-aarch64"."""
        return f"{self.os}-{self.abi}"

    @property
    def gcc(self) -> str:
        """The GNU C++ compiler of a Linux platform: this machine's own, or Debian's cross compiler."""
        own = host_os() == "linux" and host_abi() == self.abi
        return "g++" if own else f"{self.abi}-linux-gnu-g++"

    @property
    def apt_line(self) -> str:
        """What to type on Debian or Ubuntu so that it can be built."""
        packages = ["cmake", "make", "nlohmann-json3-dev"]
        if self.os == "linux":
            own = self.gcc == "g++"
            packages.append("g++" if own else f"g++-{self.abi.replace('_', '-')}-linux-gnu")
        return f"sudo apt-get install --no-install-recommends {' '.join(packages)}"


PLATFORMS = (
    Platform("linux", "x86_64"),
    Platform("linux", "aarch64"),
    Platform("android", "aarch64", "arm64-v8a"),
    Platform("android", "x86_64", "x86_64"),
)


def find_runner(os: str, abi: str) -> Path:
    """The runner for a device, with ONNX Runtime beside it.

    Raises:
        ToolMissing: none was built, or it was built from other sources; the next step is the line that builds it.
    """
    wanted = platform(f"{os}-{abi}")
    runner = _home(wanted) / NAME
    line = f"edgekit runner build {wanted.name}"
    if not runner.is_file():
        raise ToolMissing(f"{NAME} was not built for {wanted.name}", next=line)
    if not _is_made_of(runner, _key(wanted)):
        why = "was built from other sources, by another compiler or for other engines"
        raise ToolMissing(f"the {NAME} for {wanted.name} {why}", next=line)
    if not any(runner.parent.glob("libonnxruntime.so*")):
        raise ToolMissing(
            f"no ONNX Runtime lies beside the {NAME} for {wanted.name}",
            next=f"copy its libonnxruntime.so into {runner.parent} ({SOURCES / 'README.md'} says where it comes from)",
        )
    return runner


def build(wanted: Platform) -> Path:
    """Build the runner and the library unless they are there, put the engines beside them; the runner's path.

    Raises:
        ToolMissing: a compiler, CMake, nlohmann-json or the Android NDK.
        BuildError: the compiler fails, or the engines cannot be fetched.
    """
    home = _home(wanted)
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home.with_suffix(".lock")):
        runner, key = home / NAME, _key(wanted)
        if not _is_made_of(runner, key) or not (home / LIBRARY).is_file():
            with console.step(f"building {NAME} for {wanted.name}"), _scratch(home) as folder:
                _compile(wanted, Path(folder))
                for name in (LIBRARY, NAME):
                    shutil.copyfile(Path(folder, name), home / f".{name}")
                    (home / f".{name}").chmod(0o755)
                    (home / f".{name}").replace(home / name)
                made = {**key, "runner": file_digest(runner)}
                write_atomic(home / _MADE_OF, pretty(made))
        if wanted.os == "linux":
            with console.step("fetching the engines"):
                _place_engines(wanted, home)
    return runner


def platform(name: str) -> Platform:
    """The platform of this name.

    Raises:
        ToolMissing: there is no runner for it.
    """
    found = next((one for one in PLATFORMS if one.name == name), None)
    if found is None:
        known = ", ".join(one.name for one in PLATFORMS)
        raise ToolMissing(f"there is no {NAME} for {name}", next=f"take a device of one of: {known}")
    return found


def _home(wanted: Platform) -> Path:
    return cache.root() / "runners" / wanted.name


def _key(wanted: Platform) -> dict[str, Any]:
    """What a runner is made of; no compiler where none is installed, as where it was only copied to."""
    sources = {name: cache.path_digest(SOURCES / name) for name in ("CMakeLists.txt", "src")}
    flags = {name: os.environ[name] for name in FLAGS if os.environ.get(name)}
    try:
        compiler = _compiler_id(wanted)
    except ToolMissing:
        compiler = []
    made_for = engines.versions(ENGINES)
    return {"platform": wanted.name, **sources, "flags": flags, "engines": made_for, "compiler": compiler}


def _compiler_id(wanted: Platform) -> list[str]:
    """The compiler that would be taken, with its version and what it is always told."""
    if wanted.android_abi:
        told = toolchain(wanted)
        about = Path(told[0].partition("=")[2]).parents[2] / "source.properties"
        return [*told[1:], about.read_text(encoding="utf-8") if about.is_file() else ""]
    command = compiler(wanted)
    if "ziglang" in command:
        return [*command[command.index("ziglang") :], *engines.versions(["ziglang"]).values()]
    return [Path(command[0]).name, tools.run([*command, "--version"], timeout=VERSION_S).stdout.partition("\n")[0]]


def _is_made_of(runner: Path, key: dict[str, Any]) -> bool:
    try:
        made = json.loads(runner.with_name(_MADE_OF).read_text(encoding="utf-8"))
        wanted = {**key, "compiler": key["compiler"] or made["compiler"], "runner": file_digest(runner)}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(made == wanted)


def _scratch(home: Path) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="build-", dir=home.parent)


def _compile(wanted: Platform, folder: Path) -> None:
    cmake = tools.find("cmake", next=wanted.apt_line)
    words = [] if wanted.android_abi else compiler(wanted)
    settings = [f"-DEDGEKIT_VERSION={__version__}", *(toolchain(wanted) if wanted.android_abi else _linux(wanted))]
    env = {**os.environ, "CXX": shlex.join(words)} if words else None
    done = tools.run([cmake, "-S", SOURCES, "-B", folder, *settings], timeout=BUILD_S, env=env)
    if done.returncode:
        if "nlohmann_json" in done.stderr:
            raise ToolMissing("the headers of nlohmann-json are not installed", next=wanted.apt_line)
        raise _failed(done)
    done = tools.run([cmake, "--build", folder, "--parallel", str(os.cpu_count() or 1)], timeout=BUILD_S)
    if done.returncode:
        raise _failed(done)


def compiler(wanted: Platform) -> list[str]:
    """Zig's, where pip brought it: its programs start on systems older than this one. Else GCC."""
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-P", "-m", "ziglang", "c++", "-target", f"{wanted.abi}-linux-gnu.{GLIBC}"]
    return [str(tools.find(wanted.gcc, next=wanted.apt_line))]


def _linux(wanted: Platform) -> list[str]:
    own = wanted.os == host_os() and wanted.abi == host_abi()
    return [] if own else ["-DCMAKE_SYSTEM_NAME=Linux", f"-DCMAKE_SYSTEM_PROCESSOR={wanted.abi}"]


def toolchain(wanted: Platform) -> list[str]:
    """What CMake is told of Android's NDK; ToolMissing where none is named."""
    folder = next((os.environ[name] for name in _NDK if os.environ.get(name)), None)
    toolchain = Path(folder or "") / "build/cmake/android.toolchain.cmake"
    if folder is None or not toolchain.is_file():
        raise ToolMissing(
            f"what runs on Android is built with Google's NDK, and {_NDK[0]} names none",
            next=f"{_NDK[0]}=/path/to/android-ndk edgekit runner build {wanted.name}",
        )
    return [
        f"-DCMAKE_TOOLCHAIN_FILE={toolchain}",
        f"-DANDROID_ABI={wanted.android_abi}",
        "-DANDROID_PLATFORM=android-28",
        "-DANDROID_SUPPORT_FLEXIBLE_PAGE_SIZES=ON",  # 16 KB, which Play asks of 64 bits
    ]


def _failed(done: tools.Done) -> BuildError:
    lines = [line.strip() for line in (done.stderr + "\n" + done.stdout).splitlines()]
    said = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "it said nothing")
    return BuildError(
        f"{NAME} cannot be built: {said[:300]}", next="report it with this message and your compiler's version"
    )


def _place_engines(wanted: Platform, home: Path) -> None:
    """libonnxruntime.so.VERSION and libonnxruntime-genai.so.VERSION of the versions that are installed here.

    GenAI does not tell its version, so its file's name does.
    """
    for package, library in zip(ENGINES, ("libonnxruntime.so", "libonnxruntime-genai.so"), strict=True):
        version = importlib.metadata.version(package)
        place = home / f"{library}.{version}"
        if place.is_file():
            continue
        aside = home / f".{library}"
        if wanted.os == host_os() and wanted.abi == host_abi():
            shutil.copyfile(_installed(package, library), aside)
        else:
            _fetch(f"{package}=={version}", wanted, library, aside)
        for old in home.glob(f"{library}*"):
            old.unlink()
        aside.replace(place)


def _installed(package: str, library: str) -> Path:
    spec = importlib.util.find_spec(package.replace("-", "_"))
    folders = spec.submodule_search_locations if spec else None
    found = sorted(Path(next(iter(folders))).rglob(f"{library}*")) if folders else []
    if not found:
        raise BuildError(f"the installed {package} holds no {library}", next=f"pip install --force-reinstall {package}")
    return found[0]


def _fetch(requirement: str, wanted: Platform, library: str, to: Path) -> None:
    """The library out of the wheel for another CPU, by pip: its index settings apply."""
    with tempfile.TemporaryDirectory(dir=to.parent) as folder:
        command = tools.module("pip", "download", "--no-deps", "--only-binary=:all:", "--no-input")
        command += ["--disable-pip-version-check", "--progress-bar=off", f"--dest={folder}", requirement]
        command += [f"--platform=manylinux_{glibc}_{wanted.abi}" for glibc in _GLIBC]
        done = tools.run(command, timeout=FETCH_S, env=tools.environment())
        wheel = next(Path(folder).glob("*.whl"), None)
        if done.returncode or wheel is None:
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise BuildError(
                f"pip cannot fetch {requirement} for {wanted.name}: {said[:200]}", next="check the network"
            )
        with ZipFile(wheel) as archive:
            inside = [name for name in archive.namelist() if name.rpartition("/")[2].startswith(library)]
            if len(inside) != 1:
                raise BuildError(f"the wheel of {requirement} holds {len(inside)} {library}", next="report this")
            with archive.open(inside[0]) as stream, to.open("wb") as out:
                shutil.copyfileobj(stream, out, 1 << 20)
