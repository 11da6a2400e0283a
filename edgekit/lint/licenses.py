"""The licence of a bundle's model: that there is one, that it lets an app ship, and that its text comes along."""

from __future__ import annotations

import re
from collections.abc import Iterator

from edgekit.lint._artifact import Part
from edgekit.lint._rule import Fault, Rule

UNKNOWN = {"", "unknown", "none", "other", "noassertion"}
# Licences that keep a model out of a product, by their SPDX names and by what publishers write.
FORBIDS = re.compile(r"\bnc\b|non-?commercial|research[- ]only|cc-by-nc|\bresearch license\b", re.IGNORECASE)
# Licences with terms that the app has to pass on or keep.
TERMS = re.compile(r"llama|gemma|\bqwen\b|openrail|\bagpl|\bgpl|cc-by-sa|community license", re.IGNORECASE)
SPDX = "https://spdx.org/licenses/"
HUB = "https://huggingface.co/docs/hub/repositories-licenses"


def _unknown(part: Part) -> Iterator[Fault]:
    if part.bundle is not None and part.bundle.source.license.strip().lower() in UNKNOWN:
        yield Fault("", f"its source's licence is {part.bundle.source.license or 'not named'}")


def _forbidding(part: Part) -> Iterator[Fault]:
    if part.bundle is not None and FORBIDS.search(part.bundle.source.license):
        yield Fault("", f"its source's licence is {part.bundle.source.license}")


def _with_terms(part: Part) -> Iterator[Fault]:
    name = part.bundle.source.license if part.bundle is not None else ""
    if TERMS.search(name) and not FORBIDS.search(name):
        yield Fault("", f"its source's licence is {name}")


def _no_text(part: Part) -> Iterator[Fault]:
    if part.bundle is not None and not any(file.role == "license" for file in part.bundle.files):
        yield Fault("", "LICENSES/ is empty")


RULES = (
    Rule(
        "model-license-unknown",
        "warning",
        "a model of which nobody says what one may do with it",
        "ask its publisher, and build it with that licence (license in the model's card)",
        HUB,
        ("bundle",),
        _unknown,
    ),
    Rule(
        "model-license-forbids",
        "error",
        "a model that may not be a part of a product",
        "take another model, or get a licence from its publisher",
        SPDX,
        ("bundle",),
        _forbidding,
    ),
    Rule(
        "model-license-terms",
        "warning",
        "a model with terms that the app has to keep or to pass on",
        "read them in LICENSES/, and show them in the app",
        SPDX,
        ("bundle",),
        _with_terms,
    ),
    Rule(
        "model-license-text",
        "error",
        "a bundle without the text of its model's licence",
        "build it anew from a source that has its licence beside it",
        "https://www.apache.org/licenses/LICENSE-2.0#redistribution",
        ("bundle",),
        _no_text,
    ),
)
