"""The Python runtime is the reference of conformance.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit.bundle.read import REBUILD
from edgekit.bundle.verify import verify
from edgekit.errors import BundleError
from tests.engines.wrappers.conformance import Answers, Endings, Refusals, Strangers
from tests.engines.wrappers.runtimes import PYTHON, InProcess, Program, Result

pytestmark = pytest.mark.runtimes


class Verify:
    """`edgekit verify` as one more reader of what runtimes must refuse."""

    def act(self, action: str, bundle: Path, **request: Any) -> Result:
        try:
            wrong = verify(bundle)
        except BundleError as error:
            return Result(
                {"error": {"code": error.code, "message": f"{error.message} is not safe", "next": error.next or ""}}
            )
        if not wrong:
            return Result({"kind": "llm" if (bundle / "model/portable/genai_config.json").is_file() else "tensor"})
        first = next((one for one in wrong if one.what in ("unsafe", "link")), wrong[0])
        return Result({"error": {"code": "bundle", "message": f"{first} is not safe", "next": REBUILD}})


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


class TestStrangers(Strangers):
    pass


class TestVerify(Strangers):
    """Refused by the file's name and by the same word."""

    @pytest.fixture
    def runtime(self) -> Verify:
        return Verify()


class TestEndings(Endings):
    pass
