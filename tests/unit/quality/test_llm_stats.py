"""The arithmetic of the gates, against formulas worked out by hand or by another road."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.quality import _stats

pytestmark = pytest.mark.unit


def test_kl_divergence_of_two_coins() -> None:
    source = np.log(np.array([[0.5, 0.5], [1.0, 1e-30]]))
    built = np.log(np.array([[0.25, 0.75], [0.5, 0.5]]))
    expected = [0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75), np.log(2)]
    assert np.allclose(_stats.kl_divergence(source, built), expected)


def test_a_masked_token_adds_nothing() -> None:
    source = np.array([[0.0, -np.inf]])
    assert _stats.kl_divergence(source, np.array([[np.log(0.5), -np.inf]]))[0] == pytest.approx(np.log(2))


def test_log_softmax_sums_to_one_at_any_size() -> None:
    logits = np.random.default_rng(0).normal(size=(5, 1000)).astype(np.float32) * 50 + 1000
    assert np.allclose(np.exp(_stats.log_softmax(logits.copy())).sum(-1), 1, atol=1e-5)


def test_documents_are_drawn_whole() -> None:
    """Two documents, alike inside: drawing tokens would find a tenth of the interval that drawing documents finds."""
    values = np.concatenate([np.zeros(500), np.ones(500)])
    documents = np.repeat([0, 1], 500)

    def mean(column: np.ndarray) -> float:
        return float(column.mean())

    low, high = _stats.bootstrap(mean, [values], documents)
    assert (low, high) == (0.0, 1.0)
    narrow_low, narrow_high = _stats.bootstrap(mean, [values], np.arange(1000))
    assert narrow_high - narrow_low < 0.1
    assert _stats.bootstrap(mean, [values], documents) == (low, high)  # the seed is fixed


def test_repetition_is_of_four_tokens() -> None:
    assert _stats.repetition_rate([1, 2, 3]) == 0
    assert _stats.repetition_rate(list(range(20))) == 0
    assert _stats.repetition_rate([7] * 13) == pytest.approx(0.9)


def test_common_prefix_is_a_share_of_the_longer() -> None:
    assert _stats.common_prefix([], []) == 1
    assert _stats.common_prefix([1, 2, 3, 4], [1, 2]) == 0.5
    assert _stats.common_prefix([1, 9], [1, 2]) == 0.5
