"""What a stage of a build takes: Olive's step most of a net's, the float source of a language model's gate."""

from __future__ import annotations

import pytest

from edgekit.predict import build
from tests.golden.plans import phi3

pytestmark = pytest.mark.unit


def test_a_net_takes_most_while_it_is_quantized() -> None:
    stages = {stage: build.tensor_stage(stage, 10_000_000) for stage in ("optimize", "compile", "gate", "seal")}
    assert stages["optimize"] == build.tensor(10_000_000) > 2 * stages["gate"] > 0
    assert stages["gate"] - build.tensor_stage("gate", 0) == 10_000_000 * build.TENSOR_WEIGHTS


@pytest.mark.parametrize("quantized_first", [True, False])
@pytest.mark.parametrize("free", [2 * 10**9, 10**12])
def test_a_language_models_largest_stage_is_what_its_build_takes(quantized_first: bool, free: int) -> None:
    model = phi3()
    stages = [
        build.language_stage(stage, model, 10**9, quantized_first=quantized_first, free=free)
        for stage in ("optimize", "compile", "gate", "seal")
    ]
    assert max(stages) == build.memory(model, 10**9, quantized_first=quantized_first, free=free) > min(stages)


def test_a_small_nets_stages_leave_the_other_cores_to_others() -> None:
    assert {build.tensor_cores(stage, build.SMALL) for stage in ("optimize", "compile", "gate", "seal")} == {1}
    assert build.tensor_cores("gate", build.SMALL + 1) > 1 == build.tensor_cores("seal", build.SMALL + 1)
    assert build.language_cores("optimize") > 1 == build.language_cores("compile")
