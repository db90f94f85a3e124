from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from analysis.statistics.bootstrap import percentile_interval
from ml.style.obd.block_draws import block_weights, make_blocks, weighted_metrics


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(4, 60), ties=st.integers(2, 50))
def test_weighted_metrics_equal_sklearn(seed, n, ties):
    rng = np.random.default_rng(seed)
    y = np.r_[True, False, rng.random(n - 2) < 0.3]
    score = rng.integers(0, ties, n) / ties
    weights = rng.integers(0, 4, (5, n)).astype(float)
    weights[:, :2] += 1
    auc, pr_auc = weighted_metrics(y, score, weights)
    np.testing.assert_allclose(auc, [roc_auc_score(y, score, sample_weight=w) for w in weights])
    np.testing.assert_allclose(pr_auc, [average_precision_score(y, score, sample_weight=w) for w in weights])


def test_draw_without_one_style_is_not_defined():
    auc, pr_auc = weighted_metrics(np.array([True, False]), np.array([0.9, 0.1]), np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert np.isnan(auc).all()
    assert np.isnan(pr_auc).all()


@settings(max_examples=40, deadline=None)
@given(lengths=st.lists(st.integers(1, 400), min_size=1, max_size=6), block_rows=st.integers(5, 150))
def test_blocks_are_contiguous_long_enough_and_within_a_drive(lengths, block_rows):
    drive = np.repeat(np.arange(len(lengths)), lengths)
    position = np.concatenate([np.arange(length) for length in lengths])
    block = make_blocks(drive, position, block_rows)
    assert (np.diff(block) >= 0).all()
    assert set(block) == set(range(block.max() + 1))
    for one in np.unique(block):
        rows = block == one
        assert len(set(drive[rows])) == 1
        assert rows.sum() >= min(block_rows, lengths[drive[rows][0]])


def test_whole_blocks_are_drawn_and_seeded():
    block = np.repeat(np.arange(10), 30)
    weights = block_weights(block, 200, np.random.default_rng(5))
    assert all(len(np.unique(w[block == b])) == 1 for w in weights[:20] for b in range(10))
    np.testing.assert_array_equal(weights.sum(axis=1), 300)
    np.testing.assert_array_equal(weights, block_weights(block, 200, np.random.default_rng(5)))


def test_blocks_widen_the_interval_of_a_clustered_score():
    """Rows of a block tell the same: drawing rows one by one would claim far more certainty."""
    rng = np.random.default_rng(0)
    block = np.repeat(np.arange(40), 50)
    y = np.repeat(rng.random(40) < 0.4, 50)
    score = np.repeat(rng.random(40), 50) + y * 0.3
    widths = []
    for blocks in (block, np.arange(len(block))):
        auc, _ = weighted_metrics(y, score, block_weights(blocks, 200, np.random.default_rng(1)))
        found = percentile_interval(float(auc.mean()), auc)
        widths.append(found.high - found.low)
    assert widths[0] > 3 * widths[1]
