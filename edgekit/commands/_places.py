"""The type of a path on a command line."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import click

from edgekit.errors import UsageError


class Place(click.Path):
    """A path as it was typed; whether something lies there is for the command to say."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, readable=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A Path.

        Raises:
            UsageError: it is empty, or no name can be so long here.
        """
        names = param.opts if param is not None else ["a path"]
        name = names[-1] if names[-1].startswith("-") else names[-1].upper()
        if value == "":
            raise UsageError(
                f"the path of {name} is empty",
                next="write one; a shell puts nothing in the place of a variable that is not set",
            )
        try:
            os.lstat(value)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise UsageError(f"{name} is longer than a path may be: {value[:40]} ...", next="shorten it") from None
        return super().convert(value, param, ctx)


PLACE = Place()
