"""Gate: the runtime's tokenizer gives the source's token ids.

The runtime's tokenizer is not Hugging Face's: a checkpoint whose tokenizer_class is wrong is cut into other tokens on
the device and answers garbage, while every number of the graph is right.
"""

from __future__ import annotations

from collections import Counter

from edgekit.quality import _reference
from edgekit.quality._context import GateContext, measured, run_child
from edgekit.report.measurement import Measurement

KIND = "llm"
METRICS = ("token_mismatch_rate",)
ADVICE = "check tokenizer_class in the source's tokenizer_config.json against its tokenizer.json"


def measure(ctx: GateContext) -> list[Measurement]:
    """The share of texts with other ids: conformance strings, shipped documents, rendered conversations.

    A conformance string whose mismatch has a known, listed cause is counted apart: it is in the reason.
    """
    source = _reference.chat(ctx)
    rendered = [one for one in source["rendered"] if one]
    texts = _reference.strings() + [one["text"] for one in rendered]
    expected = source["ids"] + [one["ids"] for one in rendered]
    _, built = run_child(ctx, "_child_llm", {"action": "tokens", "strings": texts})
    causes = [one.get("known") for one in _reference.conformance()["strings"]]
    causes += [None] * (len(texts) - len(causes))
    wrong = [at for at, ids in enumerate(built["ids"]) if ids != expected[at]]
    unexplained = [texts[at] for at in wrong if causes[at] is None]
    explained = Counter(causes[at] for at in wrong if causes[at])
    reason = "; ".join(
        [f"{count} of known cause: {cause}" for cause, count in sorted(explained.items())]
        + [f"differs: {text[:40]!r}" for text in unexplained[:3]]
    )
    return [measured("token_mismatch_rate", len(unexplained) / len(texts), n=len(texts), reason=reason)]
