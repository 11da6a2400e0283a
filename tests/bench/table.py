"""The table of the test-bench: of each kind of model and each fault, the metric that must fire before all others.

Ten kinds by five faults, and two kinds more (a detector of text, and notes). Where a fault's own words do not fit a
kind it is, of
- a voice's activity, a map of persons or of text, other labels: the probability of the other label, 1 - p;
- a pitch, other labels: an octave higher; of boxes, notes and spectra: their values, tones or parts turned by one;
- an embedding, wrong preprocessing: begin and end token are not read; other labels: the ids of another vocabulary;
- a base language model, wrong preprocessing: a begin token that the source does not read;
- a chat model, wrong preprocessing: another family's template;
- a language model, other labels: another tokenizer of the same size.
"""

from __future__ import annotations

from edgekit.contract.manifest import Quality
from edgekit.results.measurement import Verdict

FAULTS = ("constant", "swapped", "preprocessing", "two bits", "other labels")
# kind -> its model: of the catalogue, of nets.py or of language.py
KINDS = {
    "classifier": "ppocrv4-cls",
    "detector": "face-detection",
    "text detector": "ppocrv4-det",
    "OCR": "ppocrv4-rec",
    "embedding": "all-minilm-l6-v2",
    "VAD": "silero-vad",
    "pitch": "swift-f0",
    "notes": "basic-pitch",
    "vocoder": "gtcrn",
    "segmentation": "selfie-segmentation",
    "base language model": "smollm2-135m-instruct",
    "chat model": "smollm2-135m-instruct",
}
LANGUAGE = ("base language model", "chat model")
FIFTH = 0.2  # of a limit, that a good bundle leaves


def first(verdict: Quality) -> str:
    """The metric that fails before all others; empty where none does."""
    return next((row.metric for row in verdict.verdicts if row.verdict == "fail"), "")


def spare(row: Verdict, quality: Quality) -> float:
    """How much of the way from perfect to its limit a figure leaves: 1 is perfect, 0 at the limit.

    Perfect is what the source itself does for rates over answers, twice the limit in decibels, 1 or 0 otherwise.
    """
    limit = row.limit.max if row.limit.max is not None else row.limit.min
    assert row.value is not None and limit is not None
    own = {figure.metric: figure.value for figure in quality.measurements}.get(f"{row.metric}@source")
    if row.metric in ("eos_rate", "repetition_rate") and own is not None:
        perfect = own
    elif row.metric == "sqnr_db":
        perfect = 2 * limit
    else:
        perfect = 1.0 if row.limit.min is not None or row.metric == "perplexity_ratio" else 0.0
    return (row.value - limit) / (perfect - limit) if perfect != limit else float(row.value == limit)


# The cosine of what departs from the source's mean is the first of the figures that a net of tensors is judged by; a
# fault that it does not see must be seen by one behind it.
FIRST: dict[tuple[str, str], str] = {
    (kind, fault): "cosine_mean" for kind in KINDS if kind not in LANGUAGE for fault in FAULTS
} | {
    ("notes", "preprocessing"): "cosine_p05",  # it normalizes what it hears
    ("base language model", "constant"): "kl_mean",
    ("base language model", "swapped"): "kl_mean",
    ("base language model", "preprocessing"): "token_mismatch_rate",
    ("base language model", "two bits"): "kl_mean",
    ("base language model", "other labels"): "token_mismatch_rate",
    ("chat model", "constant"): "kl_mean",
    ("chat model", "swapped"): "kl_mean",
    ("chat model", "preprocessing"): "template_mismatch_rate",
    ("chat model", "two bits"): "kl_mean",
    ("chat model", "other labels"): "token_mismatch_rate",
}
# What a kind cannot have.
NONE = {
    ("notes", "swapped"): "its only weights of one shape are the halves of complex filters, of which the sum counts",
}
for absent in NONE:
    del FIRST[absent]
