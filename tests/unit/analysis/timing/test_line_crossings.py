"""Samples at the line are of the lap whose distance they say."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analysis.timing.line_crossings import MOST_MOVED_US, find_resets, move_to_resets

LINE_US, MOST = 60_000_000, MOST_MOVED_US
LAPS = [(1, 0, LINE_US), (2, LINE_US, 2 * LINE_US)]


def readings(*t_us: int) -> np.ndarray:
    return np.array(t_us, np.int64)


def test_a_late_reset_moves_the_line_behind_the_last_reading_of_the_old_lap() -> None:
    resets = find_resets(
        readings(LINE_US - 20_000, LINE_US + 14_000, LINE_US + 47_000), np.array([2_170.0, 2_171.0, 0.4])
    )
    assert (resets.before_us.tolist(), resets.after_us.tolist()) == ([LINE_US + 14_000], [LINE_US + 47_000])
    assert move_to_resets(LAPS, resets) == [(1, 0, LINE_US + 14_001), (2, LINE_US + 14_001, 2 * LINE_US)]


def test_an_early_reset_moves_the_line_to_it_and_one_across_the_line_moves_nothing() -> None:
    early = find_resets(readings(LINE_US - 300_000, LINE_US - 90_000), np.array([3_890.0, 4.0]))
    assert move_to_resets(LAPS, early) == [(1, 0, LINE_US - 90_000), (2, LINE_US - 90_000, 2 * LINE_US)]
    across = find_resets(readings(LINE_US - 100_000, LINE_US + 100_000), np.array([3_890.0, 4.0]))
    assert move_to_resets(LAPS, across) == LAPS


def test_what_is_no_reset_or_too_far_away_moves_nothing() -> None:
    far = find_resets(readings(LINE_US + MOST, LINE_US + 2 * MOST), np.array([3_890.0, 4.0]))
    assert move_to_resets(LAPS, far) == LAPS
    noise = np.array([0.2, -0.1, 150.0, 3.0, 3_000.0, 2_000.0, np.nan])
    assert find_resets(np.arange(7), noise).before_us.size == 0
    assert move_to_resets(LAPS, find_resets(readings(), np.empty(0))) == LAPS


@given(st.integers(-MOST, MOST), st.integers(30_000, 400_000), st.integers(1, 400_000))
def test_on_neither_side_of_the_line_is_a_sample_of_the_other(shift: int, step: int, offset: int) -> None:
    t_us = np.arange(LINE_US - 20 * step - offset, LINE_US + 20 * step, step)
    distance = (t_us - LINE_US - shift) / 20_000 % 3_000.0  # 50 m/s
    (_, _, line), _ = move_to_resets(LAPS, find_resets(t_us, distance))
    assert abs(line - LINE_US) <= abs(shift)
    near = np.abs(t_us - LINE_US) < 25_000_000
    assert (distance[near & (t_us < line)] > 1_500).all()
    assert (distance[near & (t_us >= line)] < 1_500).all()
