"""`python -m edgekit` and the command `edgekit`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the process's command line and end with its exit code."""
    from edgekit.start import leave_current_folder

    leave_current_folder()
    from edgekit import stdio

    stdio.prepare()
    from edgekit.commands import main as run

    sys.exit(run())


if __name__ == "__main__":
    main()
