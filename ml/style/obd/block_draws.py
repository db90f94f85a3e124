"""Block bootstrap of AUC and PR-AUC: neighbouring rows tell nearly the same story, so whole blocks are drawn."""

from __future__ import annotations

import numpy as np

from analysis.statistics.bootstrap import draw_counts
from conf.arrays import BoolArray, FloatArray, IndexArray

CHUNK = 64


def make_blocks(drive: IndexArray, position: IndexArray, block_rows: int) -> IndexArray:
    """Block number (n,) per window: `block_rows` contiguous rows of one drive; a short rest joins the last block.

    Args:
        drive: drive of each window.
        position: row within the drive.
        block_rows: rows a block at least, except in drives that are shorter as a whole.
    """
    number = np.zeros(len(drive), dtype=np.intp)
    used = 0
    for one in np.unique(drive):
        rows = drive == one
        full = max((int(position[rows].max()) + 1) // block_rows, 1)
        number[rows] = used + np.minimum(position[rows] // block_rows, full - 1)
        used += full
    return number


def block_weights(block: IndexArray, n_resamples: int, rng: np.random.Generator) -> FloatArray:
    """How often each window is drawn (n_resamples, n) when whole blocks are drawn with replacement."""
    count = int(block.max()) + 1
    return draw_counts(count, n_resamples, rng).astype(float)[:, block]


def weighted_metrics(y: BoolArray, score: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """AUC and PR-AUC (average precision) for each row of weights; equal scores count as ties.

    Args:
        y: labels (n,).
        score: scores (n,).
        weights: weights (n_resamples, n).

    Returns:
        AUC (n_resamples,) and PR-AUC (n_resamples,); NaN where the draw holds one style only.
    """
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=np.inf))
    found = [_chunk_metrics(y[order], weights[i : i + CHUNK, order], starts) for i in range(0, len(weights), CHUNK)]
    return np.concatenate([auc for auc, _ in found]), np.concatenate([pr for _, pr in found])


def _chunk_metrics(y: BoolArray, weights: FloatArray, starts: IndexArray) -> tuple[FloatArray, FloatArray]:
    hit = np.add.reduceat(weights * y, starts, axis=1)  # per threshold, best score first
    miss = np.add.reduceat(weights * ~y, starts, axis=1)
    hits, misses = hit.cumsum(axis=1), miss.cumsum(axis=1)
    positives, negatives = hits[:, -1], misses[:, -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        auc = 1.0 - (_wrong_pairs(hit, misses, miss) / (positives * negatives))
        precision = np.where(hits + misses > 0, hits / (hits + misses), 0.0)
        pr_auc = (precision * hit).sum(axis=1) / positives
    return auc, np.where(negatives > 0, pr_auc, np.nan)


def _wrong_pairs(hit: FloatArray, misses: FloatArray, miss: FloatArray) -> FloatArray:
    """Weight of (even, aggressive) pairs ranked the wrong way round, ties counted half (Mann-Whitney)."""
    return np.asarray((hit * (misses - 0.5 * miss)).sum(axis=1))
