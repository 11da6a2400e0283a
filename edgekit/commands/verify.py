"""Verify that a bundle is whole: every changed, missing or extra byte is named."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from edgekit import console
from edgekit.commands._places import PLACE
from edgekit.contract.manifest import Role
from edgekit.errors import BundleError

if TYPE_CHECKING:
    from edgekit.bundle.files import Problem

_SHOWN = 20  # problems in the text; --json has all


@click.command()
@click.argument("bundle", type=PLACE)
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice([role for role in get_args(Role) if role != "signature"]),  # which are not of the manifest
    help="Look only at files of this role; may be given several times.",
)
@click.option("--stripped", is_flag=True, help="Roles and variants that are gone as a whole are no problem.")
def command(bundle: Path, roles: tuple[Role, ...], stripped: bool) -> None:
    """Verify BUNDLE, a folder or a .zip, against its manifest: exit 0 when it is whole, else 6."""
    from edgekit.bundle import code, files
    from edgekit.bundle.read import REBUILD, parse
    from edgekit.bundle.verify import problems

    with files.opened(bundle) as found:
        manifest = parse(found.manifest)
        wrong = problems(found, manifest, roles=roles or None, allow_stripped=stripped)
        size, runtime = sum(found.sizes.values()), code.likeness(found, manifest)
    count = f"{len(wrong)} problem{'s' if len(wrong) > 1 else ''}"
    error = BundleError(f"{bundle} is not whole: {count}", next=REBUILD) if wrong else None
    if console.json_mode():
        data = {
            "name": manifest.name,
            "sha256": manifest.sha256,
            "files": len(found.sizes),
            "bytes": size,
            "runtime": runtime,
            "problems": [_plain(problem) for problem in wrong],
        }
        console.document("edgekit.verify/1", data, error=error)
    for problem in wrong[:_SHOWN]:
        console.out(str(problem))
    if len(wrong) > _SHOWN:
        console.out(f"and {len(wrong) - _SHOWN} more; --json names all")
    if error:
        raise error
    whole = f"{len(found.sizes)} files, {size / 1e6:.1f} MB, sha256 {manifest.sha256}"
    console.out(f"{manifest.name} is whole: {whole}")
    if runtime == "another":
        console.out("its runtime differs from this edgekit's: it is not executed, run and check use edgekit's own")


def _plain(problem: Problem) -> dict[str, str]:
    """A problem as JSON; a file name that is not UTF-8 is escaped."""
    path = problem.path.encode("utf-8", "backslashreplace").decode()
    return {"path": path, "what": problem.what, "detail": problem.detail}
