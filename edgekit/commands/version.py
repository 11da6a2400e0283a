"""Show the versions of edgekit and its engines, for a bug report."""

from __future__ import annotations

import platform
from importlib import metadata

import click

from edgekit import __version__, console, extras

# In the order of the work: what builds, then what runs.
ENGINES = (
    "olive-ai",
    "torch",
    "transformers",
    "optimum-onnx",
    "onnx",
    "onnxruntime",
    "onnxruntime-genai",
    "onnxruntime-qnn",
)


@click.command()
def command() -> None:
    """Show the versions of edgekit and its engines, for a bug report."""
    found = {name: _installed(name) for name in ENGINES}
    machine = f"{platform.system()} {platform.machine()}"
    data = {"edgekit": __version__, "python": platform.python_version(), "machine": machine, "engines": found}
    if console.json_mode():
        console.document("edgekit.version/1", data)
        return
    rows = [("edgekit", __version__), ("python", f"{platform.python_version()} on {machine}")]
    console.table(
        "", ("", "version"), [*rows, *((name, version or "not installed") for name, version in found.items())]
    )
    for extra in extras.EXTRAS:
        if extras.missing(extra):
            console.out(f"{extra} is not complete: {extras.pip_line(extra)}")


def _installed(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
