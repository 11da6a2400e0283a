"""The rules know every provider's harmless options, and the C++ core has the same ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit import ep
from edgekit.wrappers import python as runtime
from edgekit.wrappers.python.rules import RULES
from scripts.rules_header import header

pytestmark = pytest.mark.unit

# Options that name a file or a folder, or make a provider write one: good on one's own machine, never in a bundle.
REFUSED = {
    "qnn": {
        "profiling_file_path",
        "enable_framework_op_trace",
        "framework_op_trace_dir",
        "skip_qnn_version_check",
    },
    "coreml": {"ModelCacheDirectory"},
}


@pytest.mark.parametrize("name", ep.names())
def test_every_option_of_a_provider_is_allowed_or_refused_for_a_reason(name: str) -> None:
    known = {option.key for option in ep.load(name).options}
    assert known - set(RULES["providers"][name]) == REFUSED.get(name, set())


def test_the_cpp_core_has_the_same_rules() -> None:
    source = Path(runtime.__file__).parents[1] / "cpp/src/rules.h"
    assert source.read_text(encoding="utf-8") == header(), "python scripts/rules_header.py > ...; then build again"
