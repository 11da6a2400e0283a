"""List attached devices, look at one, or remove what edgekit keeps on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from edgekit import console

if TYPE_CHECKING:
    from edgekit.devices import Found


@click.group(invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """What bundles can be checked on; without a command, list what is attached."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_)


@command.command("list")
def list_() -> None:
    """List the attached devices. Machines behind ssh are not searched for: look at one with `show`."""
    from edgekit.devices import transports
    from edgekit.errors import ToolMissing

    found: list[Found] = []
    not_searched: dict[str, dict[str, str]] = {}
    for scheme, module in sorted(transports().items(), key=lambda pair: pair[0] != "local"):
        try:
            found += module.attached()
        except ToolMissing as error:
            not_searched[scheme] = {"reason": error.message, "next": error.next}
    if console.json_mode():
        data = {"devices": [asdict(one) for one in found], "not_searched": not_searched}
        console.document("edgekit.devices/1", data)
        return
    console.table("", ("device", "state", "model", "os", "SoC", "ABI", "RAM", "EPs"), [_row(one) for one in found])
    for one in found:
        if one.next:
            console.out(f"{one.address}: {one.next}")
    for scheme, why in not_searched.items():
        console.out(f"not searched: {scheme}: ({why['reason']}): {why['next']}")


@command.command("show")
@click.argument("address")
def show(address: str) -> None:
    """Show everything that the device at ADDRESS tells of itself."""
    from edgekit.errors import DeviceError

    found = _look(address)
    if found.state != "ready":
        raise DeviceError(f"{found.address} is not ready: {found.state}", next=found.next)
    if console.json_mode():
        console.document("edgekit.devices.show/1", asdict(found))
        return
    console.table("", (found.address, ""), [(key, _text(value)) for key, value in found.facts.items()])


@command.command("clean")
@click.argument("address")
def clean(address: str) -> None:
    """Remove the bundles and runtimes that edgekit keeps on the device at ADDRESS for the next check."""
    from edgekit.devices import open_device
    from edgekit.errors import UsageError

    device = open_device(address)
    remove = getattr(device, "clean", None)
    if remove is None:
        raise UsageError(f"edgekit puts nothing on {address}", next="edgekit cache prune removes what builds keep here")
    kilobytes = remove()
    if console.json_mode():
        console.document("edgekit.devices.clean/1", {"address": address, "kilobytes": kilobytes})
    else:
        console.out(f"{address}: removed {kilobytes / 1000:.1f} MB" if kilobytes else f"{address}: removed everything")


def _look(address: str) -> Found:
    from edgekit.devices import local, open_device

    device = open_device(address)
    found: Found = local.attached()[0] if address == local.SCHEME else device.found()  # type: ignore[attr-defined]
    return found


def _row(one: Found) -> tuple[str, ...]:
    facts: Mapping[str, Any] = one.facts
    ram = facts.get("ram_mb")
    told = [facts.get(key) for key in ("model", "os_version", "soc", "abi")]
    soc = told[2] or facts.get("cpu")
    return (
        one.address,
        one.state,
        _text(told[0]),
        _text(told[1]),
        _text(soc),
        _text(told[3]),
        f"{ram / 1024:.1f} GB" if ram else "",
        _text(facts.get("eps")),
    )


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {part}" for key, part in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
