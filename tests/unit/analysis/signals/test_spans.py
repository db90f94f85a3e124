from __future__ import annotations

import numpy as np

from analysis.signals.spans import find_prominent_peaks, find_runs


def test_runs_are_bridged_and_peaks_do_not_reach_across_a_gap() -> None:
    mask = np.array([1, 1, 0, 1, 0, 0, 0, 1], bool)
    assert find_runs(mask) == [(0, 2), (3, 4), (7, 8)]
    assert find_runs(mask, bridge=1) == [(0, 4), (7, 8)]
    x = np.array([0.0, 5.0, 0.0, np.nan, 9.0, 0.0, 2.0, 0.0])
    at, height = find_prominent_peaks(x, 1.0)
    assert at.tolist() == [1, 6]  # 9 is the edge of a gap
    assert height.tolist() == [5.0, 2.0]
