"""The one door to the data files of this package.

The path is written out where it is asked for, so that whoever reads the code (edgekit.code too) sees which file it is.
"""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parent


def resource(path: str) -> Path:
    """The file or folder at a path below edgekit/, as "recipes/data/calibration.txt"."""
    return PACKAGE / path
