"""Write edgekit.lock: what each bundle of the project is made of."""

from __future__ import annotations

import click

from edgekit import console
from edgekit.errors import worst


@click.command()
@click.option("--upgrade", is_flag=True, help="Take the newest commit of models of the hub, instead of the locked one.")
def command(upgrade: bool) -> None:
    """Write what the project's bundles will be made of into edgekit.lock, without building them.

    The sha256 of a bundle stays where nothing that it was made of changed; the next edgekit build writes the others.
    """
    from edgekit import build as builder
    from edgekit import output
    from edgekit.commands import _project
    from edgekit.project import lock, run

    _, home, pairs = _project.opened()
    path = home / lock.NAME
    before = lock.read(path)
    ready = run.prepared(pairs, None if upgrade else before)
    errors = {entry.pair.name: entry.error for entry in ready if entry.error is not None}
    known = before.bundles if before is not None else {}
    now, changed = {}, {}
    for entry in ready:
        if entry.job is not None:
            made = lock.locked(entry.pair, entry.job, builder.key_of(entry.job, entry.pair.options))
            old = known.get(entry.pair.name)
            told = lock.differences(old, made) if old is not None else ["new"]
            now[entry.pair.name] = made if told or old is None else old
            if told:
                changed[entry.pair.name] = told
    after = lock.merged(before, now, {pair.name for pair in pairs})
    if now and after != before:
        output.write(path, lock.text(after))
    if console.json_mode():
        data = {"path": str(path), "changed": changed, "failed": _project.failures(errors)}
        console.document("edgekit.lock/1", data, error=worst(errors.values()))
    for name, told in changed.items():
        console.out(f"{name}: {'; '.join(told)}")
    console.out(f"{'written' if now and after != before else 'unchanged'}: {path}")
    _project.raise_worst(errors)
