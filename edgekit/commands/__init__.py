"""The command line: a click group whose commands are the files beside this one.

A command is one file that has a click command (or group) named `command`; the first line of its docstring is its short
help. Names and short helps are read from the files' text, so `edgekit --help` imports no command and stays fast.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import click

from edgekit import __version__, console, registry
from edgekit.commands import _common


def names() -> list[str]:
    """The names of the commands, sorted: those of the files here that do not start with an underscore."""
    return registry.members("edgekit.commands")


def summary(name: str) -> str:
    """The short help of a command, from the first line of its file, which is parsed but not imported."""
    spec = importlib.util.find_spec(f"{__name__}.{name}")
    assert spec is not None and spec.origin is not None
    docstring = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


class LazyGroup(click.Group):
    """A click group that imports a command only when it is called or asked for its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in names():
            return None
        command: click.Command = registry.member("edgekit.commands", cmd_name).command
        return _common.with_shared_options(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in names() and not name.startswith("-") and not ctx.resilient_parsing:
            from edgekit.data import nearest

            ctx.fail(f"unknown command {name!r}{nearest(name, names())}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary(name)) for name in names()])


def _show_version(ctx: click.Context, option: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        if console.json_mode():
            console.document("edgekit.version/1", {"edgekit": __version__})
        else:
            console.out(f"edgekit {__version__}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
def cli() -> None:
    """Turn a model into a bundle an app can ship, with evidence that it works.

    \b
    edgekit build MODEL --target linux-cpu -o out   make a bundle
    edgekit check out/MODEL-linux-cpu               measure it on a device
    """


_common.with_shared_options(cli)


def main(args: Sequence[str] | None = None) -> int:
    """Run a command line (the process's own by default) and return its exit code; see docs/exit-codes.md."""
    return _common.run(cli, args)
