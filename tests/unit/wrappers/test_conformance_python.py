"""The Python runtime is the reference of conformance.py."""

from __future__ import annotations

import pytest
from conformance import Answers, Endings, Refusals
from runtimes import PYTHON, InProcess, Program

pytestmark = pytest.mark.unit


@pytest.fixture
def runtime() -> InProcess:
    return InProcess()


@pytest.fixture
def program() -> Program:
    return PYTHON


class TestAnswers(Answers):
    pass


class TestRefusals(Refusals):
    pass


class TestEndings(Endings):
    pass
