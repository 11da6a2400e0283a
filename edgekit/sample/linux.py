"""Linux: a C++ program over the core, and a Python one over the runtime that lies in the bundle."""

from __future__ import annotations

from edgekit import files
from edgekit.sample._project import BUNDLE, CHAT, CLASSIFY, INFER, Project, Whole, sources

OS = "linux"
DOES = (CHAT, CLASSIFY, INFER)
ADVICE = ""


def project(bundle: Whole) -> Project:
    """The whole bundle: the Python program imports its runtime."""
    core = files.resource("wrappers/cpp")
    parts = {f"edgekit/cpp/{name}": core / name for name in ("CMakeLists.txt", "src")}
    numpy = f"numpy=={bundle.manifest.tools['numpy']}" if "numpy" in bundle.manifest.tools else "numpy"
    return Project(
        sources={**sources("linux"), **parts},
        places={path: f"{BUNDLE}/{path}" for path in bundle.without()},
        texts={},
        steps=(
            f"python3 -m pip install --target engines {' '.join([*bundle.wheels(), numpy])}",
            "cmake -S . -B build && cmake --build build --target sample --parallel",
            "build/sample bundle",
        ),
    )
