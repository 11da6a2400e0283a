"""Print the completion script of a shell: bash, zsh or fish."""

from __future__ import annotations

import os
from pathlib import Path

import click

from edgekit import console
from edgekit.errors import UsageError

# What to write into the shell's start-up file.
LINES = {
    "bash": 'eval "$(edgekit completion bash)"   # in ~/.bashrc',
    "zsh": 'eval "$(edgekit completion zsh)"   # in ~/.zshrc, after compinit',
    "fish": "edgekit completion fish | source   # in ~/.config/fish/config.fish",
}


@click.command()
@click.argument("shell", type=click.Choice(sorted(LINES)), required=False)
@click.pass_context
def command(ctx: click.Context, shell: str | None) -> None:
    """Print the completion script of SHELL (the one you use, where it is not given).

    \b
    eval "$(edgekit completion bash)"     in ~/.bashrc
    eval "$(edgekit completion zsh)"      in ~/.zshrc, after compinit
    edgekit completion fish | source      in ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    name = shell or Path(os.environ.get("SHELL", "")).name
    if name not in LINES:
        raise UsageError(f"no completion for the shell {name!r}", next=f"name one: {', '.join(sorted(LINES))}")
    found = get_completion_class(name)
    assert found is not None
    script = found(ctx.find_root().command, {}, "edgekit", "_EDGEKIT_COMPLETE").source()
    if console.json_mode():
        console.document("edgekit.completion/1", {"shell": name, "script": script, "install": LINES[name]})
    else:
        console.page(script)
