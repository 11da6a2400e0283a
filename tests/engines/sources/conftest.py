"""The fixtures of tests/unit/sources."""

from __future__ import annotations

from tests.unit.sources.conftest import index, own_cache

__all__ = ["index", "own_cache"]
