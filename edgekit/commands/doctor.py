"""Look at both ends and name the line that closes each gap."""

from __future__ import annotations

from dataclasses import asdict

import click

from edgekit import console
from edgekit.commands import _offered


@click.command()
@click.option(
    "--device",
    shell_complete=_offered.places,
    help="Look at this device too: local, ssh:USER@HOST[:PORT], adb:SERIAL, ios:UDID.",
)
@click.option(
    "--target",
    "target_name",
    shell_complete=_offered.targets,
    help="Look at what this target needs; a name or a .toml file.",
)
def command(device: str | None, target_name: str | None) -> int:
    """Look at this machine, and at a device and a target where they are named.

    A gap is in the way of what was asked for, and its kind is the exit code (7 a program, 8 the device, 3 the target).
    A note is worth knowing.
    """
    from edgekit import doctor
    from edgekit.errors import first

    found = doctor.examine(device, target_name)
    code = first([one.exit_code for one in found])
    if console.json_mode():
        console.document("edgekit.doctor/1", [asdict(one) for one in found], exit_code=code)
        return code
    rows = [(one.end, one.what, one.state, one.detail, one.next) for one in found]
    console.table("", ("where", "what", "", "found", "next"), rows)
    gaps = sum(one.state == "gap" for one in found)
    console.out(f"{gaps} gap{'' if gaps == 1 else 's'} to close" if gaps else "nothing is in the way")
    return code
