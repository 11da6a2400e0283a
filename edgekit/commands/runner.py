"""Build edgekit-runner, which opens bundles on devices that have no Python."""

from __future__ import annotations

import click

from edgekit import console


@click.group()
def command() -> None:
    """The program that opens bundles on devices without Python, and the library that apps load."""


@command.command("build")
@click.argument("platform")
def build(platform: str) -> None:
    """Build the runner and libedgekit for PLATFORM: linux-x86_64, linux-aarch64, android-aarch64, android-x86_64.

    They lie in edgekit's cache, where check finds them; for Linux with the engines of the wheels beside them. What is
    there already, of the same sources by the same compiler, is left as it is.
    """
    from edgekit.devices import _runner

    made = _runner.build(_runner.platform(platform))
    if console.json_mode():
        data = {"platform": platform, "runner": str(made), "library": str(made.with_name(_runner.LIBRARY))}
        console.document("edgekit.runner.build/1", data)
        return
    console.out(str(made))
