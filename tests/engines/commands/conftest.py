"""The bundles of tests/unit/bundle, and the command of tests/unit/commands."""

from __future__ import annotations

from tests.unit.bundle.conftest import bundle, made_of, sealed
from tests.unit.commands.conftest import plugged

__all__ = ["bundle", "made_of", "plugged", "sealed"]
