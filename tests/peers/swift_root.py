"""Swift's compiler 6.0.3 with its library and its package manager: Debian trixie's packages, in a folder of their own.

    python -m tests.peers.swift_root                 make it (once, about two minutes, 0.8 GB) and print its path
    python -m tests.peers.swift_root run swiftc ...  run one of its programs

apt fetches and verifies, each package is unpacked, nothing is configured: no chroot, no namespace and no right of root
is needed. Its programs would take this machine's loader and C library, which are older; so patchelf writes the root's
into each (and clang.cfg into what they link), as absolute paths: the root stays where it was made. What an editor or a
debugger needs, and other platforms, is left out.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from edgekit import cache
from edgekit.data import digest

TOOLS = ("apt-get", "dpkg-deb", "patchelf", "tar")
SOURCE = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main"
COMPILER = ("swiftlang", "libswiftlang", "binutils-x86-64-linux-gnu")
HEADERS = ("libc6-dev", "linux-libc-dev", "libstdc++-14-dev", "libgcc-14-dev")
LIBRARIES = """
    libc6 libstdc++6 libgcc-s1 libtinfo6 libncurses6 libsqlite3-0 libxml2 liblzma5 libuuid1 libzstd1 zlib1g
    libcurl4t64 libnghttp2-14 libnghttp3-9 libidn2-0 librtmp1 libssh2-1t64 libpsl5t64 libssl3t64 libgssapi-krb5-2
    libldap2 libbrotli1 libunistring5 libgnutls30t64 libnettle8t64 libhogweed6t64 libgmp10 libkrb5-3 libk5crypto3
    libkrb5support0 libkeyutils1 libcom-err2 libsasl2-2 libp11-kit0 libtasn1-6 libffi8
"""  # the first line is of the compiler, the rest of libcurl, which the package manager is linked to
LEFT_OUT = (
    *("./usr/share", "*/share", "*/swift_static", "*/embedded", "*/FrameworkABIBaseline", "*/migrator", "*.swiftdoc"),
    *("*/liblldb*", "*/lldb*", "*/libsourcekit*", "*/sourcekit-lsp", "*/clangd", "*/docc", "*/swift-format"),
    *("*/libLTO*", "*/lib_InternalSwiftScan.so", "*/lib_InternalSwiftStaticMirror.so", "*/libswiftGenericMetadata*"),
    *("*/llvm-cov", "*/llvm-profdata", "*/swift-build-sdk-interfaces", "*/lib/linux/*.a", "*/libc.a", "*/libm-*.a"),
    *("*/libstdc++*.a", "*/lib?san.a", "*/gconv", "*/libswiftRemoteMirror.so"),
)
APT = """\
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Dir::Etc::SourceList "{folder}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
"""
# Without a name and a version of its SDK the compiler warns, and warnings are errors.
SDK = '{"CanonicalName":"linux","Version":"13.0","VersionMap":{}}\n'
SWIFT = "usr/libexec/swift"
LIBS = "usr/lib/x86_64-linux-gnu"
LOADER = f"{LIBS}/ld-linux-x86-64.so.2"


@dataclass(frozen=True)
class Root:
    """The root's folder."""

    path: Path

    def command(self, program: str, *words: str | Path) -> list[str]:
        """What runs one of its programs here: "swiftc", "swift-build", "clang" ..."""
        return [str(self.path / SWIFT / "bin" / program), *map(str, words)]

    def environment(self, home: Path) -> dict[str, str]:
        """For its programs: their headers, and a folder for what they would keep in the user's own."""
        return {**os.environ, "SDKROOT": str(self.path), "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}

    def run(self, program: str, *words: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
        """Run a program to its end; its output is kept."""
        return subprocess.run(
            self.command(program, *words),
            env=self.environment(home),
            cwd=home,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )


def lacking() -> str:
    """Why there can be none on this machine; empty where there can."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return "Debian's Swift for x86-64 Linux alone is what the tests know"
    missing = [name for name in TOOLS if shutil.which(name) is None]
    return f"{', '.join(missing)} not installed: make test-tools installs what apt has" if missing else ""


def swift_root() -> Root:
    """The root, made once and shared; RuntimeError with the last words of the program that failed."""
    peers = cache.root().absolute() / "peers"
    packages = [*COMPILER, *HEADERS, *LIBRARIES.split()]
    recipe = {"source": SOURCE, "packages": packages, "left out": LEFT_OUT, "sdk": SDK, "at": str(peers)}
    final = peers / f"swift-{digest(recipe)[:16]}"
    peers.mkdir(parents=True, exist_ok=True)
    with FileLock(final.with_suffix(".lock")):
        if not final.is_dir():
            making = final.with_name(f".{final.name}")
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir()
            _unpack(packages, making)
            _settle(making, final)
            making.rename(final)
    return Root(final)


def _unpack(packages: Sequence[str], root: Path) -> None:
    apt = root.with_name(f"{root.name}.apt")
    shutil.rmtree(apt, ignore_errors=True)
    for name in ("state/lists/partial", "cache/archives/partial", "debs"):
        (apt / name).mkdir(parents=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(f"{SOURCE}\n", encoding="utf-8")
    (apt / "apt.conf").write_text(APT.format(folder=apt), encoding="utf-8")
    env = {**os.environ, "APT_CONFIG": str(apt / "apt.conf"), "LC_ALL": "C"}
    _run("apt-get", "-q", "update", env=env, cwd=apt)
    _run("apt-get", "-q", "download", *packages, env=env, cwd=apt / "debs")
    excludes = [f"--exclude={pattern}" for pattern in LEFT_OUT]
    for deb in sorted((apt / "debs").glob("*.deb")):
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as opened:
            _run("tar", "-x", "-C", root, "--no-same-owner", *excludes, stdin=opened.stdout)
        if opened.returncode:
            raise RuntimeError(f"dpkg-deb failed on {deb.name}")
        deb.unlink()
    shutil.rmtree(apt)


def _settle(root: Path, final: Path) -> None:
    """Give each program the loader and the libraries of the root, as it lies in the end; and what it links, too."""
    for name in ("bin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    for path in (root / "usr/bin").glob("x86_64-linux-gnu-*"):
        path.with_name(path.name.removeprefix("x86_64-linux-gnu-")).symlink_to(path.name)
    for path in _elves(root / SWIFT, root / "usr/bin"):
        said = subprocess.run(["patchelf", "--print-rpath", path], capture_output=True, text=True, check=False)
        if said.returncode:  # linked statically: an object, or a program that needs nobody
            continue
        runpath = ":".join(filter(None, [said.stdout.strip(), str(final / LIBS)]))
        program = subprocess.run(["patchelf", "--print-interpreter", path], capture_output=True, check=False)
        loader = [] if program.returncode else ["--set-interpreter", str(final / LOADER)]
        _run("patchelf", *loader, "--force-rpath", "--set-rpath", runpath, path)
    linked = [f"--sysroot={final}", "-fuse-ld=lld", f"-Wl,--dynamic-linker={final / LOADER}"]
    linked += [f"-Wl,--disable-new-dtags,-rpath,{final / LIBS}"]
    for name in ("clang", "clang++"):
        (root / SWIFT / "bin" / f"{name}.cfg").write_text("\n".join(linked) + "\n", encoding="utf-8")
    (root / "SDKSettings.json").write_text(SDK, encoding="utf-8")


def _elves(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink() and path.suffix not in (".o", ".a", ".h"):
                with path.open("rb") as file:
                    if file.read(4) == b"\x7fELF":
                        yield path


def _run(*argv: str | Path, **options: object) -> None:
    words = [str(word) for word in argv]
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines() or ["it said nothing"]
        raise RuntimeError(f"{words[0]} failed: {said[-1]}")


def main() -> int:
    """See the module."""
    try:
        if why := lacking():
            raise RuntimeError(why)
        root = swift_root()
    except RuntimeError as error:
        print(f"no Swift for the tests of the Swift face: {error}", file=sys.stderr)
        return 1
    if sys.argv[1:2] == ["run"]:
        env = {**os.environ, "SDKROOT": str(root.path)}
        return subprocess.run(root.command(*sys.argv[2:]), env=env, check=False).returncode
    print(root.path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
