"""Windows: a C# console over edgekit's C# face."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from edgekit import files
from edgekit.kinds import Package
from edgekit.sample._project import BUNDLE, CHAT, CLASSIFY, INFER, Project, Whole, sources
from edgekit.wrappers.python.manifest import abi

OS = "windows"
DOES = (CHAT, CLASSIFY, INFER)
ADVICE = ""
RUNTIMES = {"x86_64": "win-x64", "aarch64": "win-arm64"}  # as .NET names them
_MACHINE = "$([System.Runtime.InteropServices.RuntimeInformation]::OSArchitecture)"
_ON = {"win-x64": f"Condition=\"'{_MACHINE}' == 'X64'\"", "win-arm64": f"Condition=\"'{_MACHINE}' == 'Arm64'\""}
WHEELS = {"x86_64": "win_amd64", "aarch64": "win_arm64"}  # as pip does


def project(bundle: Whole) -> Project:
    """The bundle without a runtime for Python."""
    cpus = [abi(name) for name in bundle.manifest.target.abi]
    core, face = files.resource("wrappers/cpp"), files.resource("wrappers/csharp")
    parts = {f"edgekit/cpp/{name}": core / name for name in ("CMakeLists.txt", "src")}
    # Of a bundle for several CPUs the engines are those of the Python that runs pip, as the program is the machine's.
    platform = f" --platform {WHEELS[cpus[0]]}" if len(cpus) == 1 else ""
    fetch = f"python -m pip install --target engines --only-binary=:all:{platform}"
    return Project(
        sources={**sources("windows"), **parts, "edgekit/csharp/src": face / "src"},
        places={path: f"{BUNDLE}/{path}" for path in bundle.without("runtime")},
        texts={"Bundle.props": _props([RUNTIMES[cpu] for cpu in cpus], bundle.packages("nuget"))},
        steps=(
            *([f"{fetch} {' '.join(wheels)}"] if (wheels := bundle.wheels()) else []),
            "cmake -S edgekit/cpp -B build",
            "cmake --build build --config Release --target edgekit",
            f"dotnet run -c Release -- {BUNDLE}",
        ),
    )


def _props(runtimes: list[str], packages: list[Package]) -> str:
    first, *others = runtimes
    known = [f"    <RuntimeIdentifier>{first}</RuntimeIdentifier>"]
    known += [f"    <RuntimeIdentifier {_ON[other]}>{other}</RuntimeIdentifier>" for other in others]
    lines = [
        f"    <PackageReference Include={quoteattr(package.name)} Version={quoteattr(f'[{package.floor}]')} />"
        for package in packages
    ]
    return "\n".join(
        [
            "<Project>",
            "  <PropertyGroup>",
            *known,
            "  </PropertyGroup>",
            "  <ItemGroup>",
            *lines,
            "  </ItemGroup>",
            "</Project>",
            "",
        ]
    )
