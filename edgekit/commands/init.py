"""Begin a project: an edgekit.toml for the models that lie here, or that are named."""

from __future__ import annotations

import os
from pathlib import Path

import click

from edgekit import console
from edgekit.errors import UsageError


@click.command()
@click.argument("sources", nargs=-1)
@click.option("--target", "targets", multiple=True, help="A target to build for; repeatable.")
@click.option("--yes", is_flag=True, help="Ask nothing: the models that lie here, and linux-cpu.")
@click.option("--force", is_flag=True, help="Replace an edgekit.toml that is there.")
@click.option("--schema", is_flag=True, help="Print the JSON schema of the file, every key with its meaning.")
def command(sources: tuple[str, ...], targets: tuple[str, ...], yes: bool, force: bool, schema: bool) -> None:
    """Write an edgekit.toml into the current folder, for SOURCES or else for the models that lie in it."""
    from edgekit import output, target
    from edgekit.project import begin, file

    if schema:
        _schema()
        return
    path = Path(file.NAME)
    if os.path.lexists(path) and not force:
        raise UsageError(f"{path} is there already", next="edit it, or give --force to begin again")
    models = _models(sources) or begin.models_in(Path())
    if not yes:
        models, targets = _asked(models, targets)
    if not models:
        raise UsageError(
            "there is no model in this folder", next="name one: edgekit init MODEL; edgekit models lists known ones"
        )
    names = [target.load(name).name if not name.endswith(".toml") else name for name in targets or ("linux-cpu",)]
    text = begin.text(models, names)
    output.write(path, text)
    file.load(path)
    if console.json_mode():
        console.document("edgekit.init/1", {"path": str(path), "models": models, "targets": names})
        return
    console.out(f"written: {path}, {len(models)} of model and {len(names)} of target")
    console.out("next: edgekit build --dry-run shows what will be made, edgekit build makes it")


def _models(sources: tuple[str, ...]) -> dict[str, str]:
    from edgekit.project import begin

    models: dict[str, str] = {}
    for ref in sources:
        name = begin.slug(ref)
        if name in models:
            raise UsageError(f"two models would be called {name}", next="write one into edgekit.toml yourself")
        models[name] = ref
    return models


def _asked(models: dict[str, str], targets: tuple[str, ...]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The answers.

    Raises:
        UsageError: nobody is there to give them.
    """
    try:
        return _ask(models, targets)
    except click.Abort as ended:
        if not isinstance(ended.__context__, EOFError):  # somebody who typed Ctrl-C
            raise
        raise UsageError(
            "standard input ended before the questions were answered",
            next="edgekit init --yes asks nothing; SOURCES and --target say it all",
        ) from None


def _ask(models: dict[str, str], targets: tuple[str, ...]) -> tuple[dict[str, str], tuple[str, ...]]:
    """What a person wants, with what was found as the answer to just a return."""

    listed = " ".join(models.values())
    answer = click.prompt("models (files, folders, names of the catalogue)", default=listed or None, err=True)
    if answer != listed:
        models = _models(tuple(answer.split()))
    if not targets:
        targets = tuple(click.prompt("targets (edgekit targets lists them)", default="linux-cpu", err=True).split())
    return models, targets


def _schema() -> None:
    from edgekit import schemas
    from edgekit.data import pretty

    schema = schemas.generate()["project"]
    if console.json_mode():
        console.document("edgekit.init.schema/1", schema)
    else:
        console.page(pretty(schema))
