"""edgekit-runner does with tools and thoughts what the Python runtime does (conformance_calls.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines.wrappers.conformance_calls import Calls, Prompts, Sampled
from tests.engines.wrappers.runtimes import Program

pytestmark = pytest.mark.tools


@pytest.fixture
def runtime(runner: Path) -> Program:
    return Program((str(runner),))


class TestPrompts(Prompts):
    pass


class TestSampled(Sampled):
    pass


class TestCalls(Calls):
    pass
