"""The C++ core for Apple's systems: what is Apple's own in it compiles for iOS, and links for macOS (Zig, no SDK).

Zig has Apple's open headers and a stub of libSystem. No frameworks are needed: what a machine is, the kernel tells.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import ziglang

from edgekit.devices._runner import SOURCES
from tests import needs

pytestmark = pytest.mark.cross

HEADERS = Path(ziglang.__file__).parent / "lib/libc/include/any-darwin-any"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wold-style-cast", "-Werror"]
MAIN = """
#include <iostream>
#include "library.h"
#include "machine.h"
int main() {
    const edgekit::Machine machine("/");
    std::cout << machine.facts() << edgekit::or_null(machine.footprint_mb()) << edgekit::or_null(machine.peak_rss_mb())
              << edgekit::or_null(machine.busy_s()) << edgekit::Library::linked().has("main") << edgekit::own_folder();
}
"""


@pytest.fixture(scope="module")
def json_headers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nlohmann-json in a folder of its own: this machine's C headers lie beside it."""
    folder = tmp_path_factory.mktemp("json")
    found = Path("/usr/include/nlohmann")
    if not found.is_dir():
        needs.unavailable("the headers of nlohmann-json are not installed: apt-get install nlohmann-json3-dev")
    shutil.copytree(found, folder / "nlohmann")
    return folder


def compile_with_zig(target: str, json_headers: Path, *words: object) -> None:
    settings = ["-target", target, "-std=c++17", "-O0", "-isystem", json_headers, "-I", SOURCES / "src", *WARNINGS]
    command = [sys.executable, "-m", "ziglang", "c++", *map(str, (*settings, *words))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]


def magic(path: Path) -> tuple[bytes, int]:
    """A Mach-O file's first four bytes, and its type (mach-o/loader.h: 1 an object, 2 a program)."""
    head = path.read_bytes()[:16]
    return head[:4], int.from_bytes(head[12:16], "little")


def test_what_is_apple_s_own_compiles_for_ios(json_headers: Path, tmp_path: Path) -> None:
    sources = [path for path in (SOURCES / "src").glob("*.cpp") if re.search(r"__APPLE__|TARGET_OS", path.read_text())]
    sources += [SOURCES / "src" / name for name in ("app.cpp", "container.cpp")]
    assert {"machine_apple.cpp", "library.cpp", "host.cpp"} <= {path.name for path in sources}
    for source in sources:
        made = tmp_path / f"{source.stem}.o"
        compile_with_zig("aarch64-ios.15.1", json_headers, "-isystem", HEADERS, "-c", source, "-o", made)
        assert magic(made) == (b"\xcf\xfa\xed\xfe", 1), source.name


@pytest.mark.nightly
def test_what_it_asks_of_the_kernel_is_there(json_headers: Path, tmp_path: Path) -> None:
    (tmp_path / "main.cpp").write_text(MAIN, encoding="utf-8")
    names = ("machine_apple", "machine", "machine_proc", "host", "library", "words")
    sources = [SOURCES / "src" / f"{name}.cpp" for name in names]
    compile_with_zig("aarch64-macos", json_headers, tmp_path / "main.cpp", *sources, "-o", tmp_path / "facts")
    assert magic(tmp_path / "facts") == (b"\xcf\xfa\xed\xfe", 2)
