"""Sixty cases of bfcl-eval end to end: SmolLM2 as Phi3, with the templates of two families, through both runtimes.

How many answers are calls without guidance is reported, not judged: it is the model's own merit. So is what it makes of
a tool's answer: of 135 million parameters one in thirty begins with the formula that it knows, whatever it was told.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.sources import open_source
from tests.e2e.command import edgekit
from tests.engines.wrappers.conformance_calls import with_answers
from tests.engines.wrappers.runtimes import InProcess, Program
from tests.nightly import bfcl
from tests.olive import phi3_twin

pytestmark = pytest.mark.nightly
CASES = 30  # of each kind
UNHEARD = 0.1  # the share of answers of a tool that may change nothing in the first words of the model's next answer


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calls")
    twin = phi3_twin.make(open_source("smollm2-135m-instruct").path, folder / "smollm2-as-phi3")
    options = ("--target", "linux-cpu", "--quality", "off")
    built = edgekit("build", twin, *options, "-o", folder / "out")["data"]["bundles"][0]
    return Path(built["path"])


@pytest.mark.parametrize("kind", bfcl.SHA256)
@pytest.mark.parametrize("family", bfcl.FAMILIES)
@pytest.mark.parametrize("runtime", ["python", "cpp"])
def test_every_guided_call_is_valid_and_every_answer_of_a_tool_is_heard(
    bundle: Path,
    tmp_path: Path,
    runner: Path,
    kind: str,
    family: str,
    runtime: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = with_answers(bundle, tmp_path / "bundle", **bfcl.FAMILIES[family])
    runs = InProcess() if runtime == "python" else Program((str(runner),))
    tally = bfcl.ask(runs, told, bfcl.cases(kind, CASES))
    with capsys.disabled():
        print(f"\nfigure: calls without guidance, {family} in {runtime} {tally.free}/{tally.asked}")
        called = tally.asked - len(tally.wrong)
        print(f"figure: tools heard, {family} in {runtime} {called - len(tally.unheard)}/{called}")
    assert tally.asked == CASES and not tally.wrong
    assert len(tally.unheard) <= UNHEARD * CASES, tally.unheard
