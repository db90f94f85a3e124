"""The slope over a second: exact where acceleration is constant, a least-squares fit where it is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.ghost.search.accelerations import speed_slopes
from physics.integrate import elapsed_s


@given(st.floats(20.0, 50.0), st.floats(-8.0, 8.0), st.floats(1.0, 6.0))
def test_constant_acceleration_is_exact(start_mps: float, a_mps2: float, step_m: float) -> None:
    at = np.arange(40) * step_m
    square = start_mps**2 + 2 * a_mps2 * at
    at, square = at[square > 25.0], square[square > 25.0]
    found = speed_slopes(at, np.sqrt(square)[None]) if len(at) > 2 else None
    if found is not None and found.whole.any():
        assert found.along_mps2[found.whole] == pytest.approx(a_mps2, abs=1e-6)
        assert found.speed_mps[found.whole] == pytest.approx(np.sqrt(square)[found.whole[0]], rel=1e-3, abs=0.1)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_it_is_the_least_squares_slope_of_the_window(seed: int) -> None:
    rng = np.random.default_rng(seed)
    at = np.arange(60) * 4.0
    rows = np.clip(30.0 + np.cumsum(rng.normal(0, 0.5, (3, 60)), axis=1), 15.0, 60.0)
    found = speed_slopes(at, rows)
    for row in range(3):
        t = elapsed_s(rows[row], 4.0)
        k = int(np.flatnonzero(found.whole[row])[3])
        window = np.linspace(t[k] - 0.5, t[k] + 0.5, 4001)
        fit = np.polyfit(window, np.interp(window, t, rows[row]), 1)
        assert found.along_mps2[row, k] == pytest.approx(fit[0], abs=5e-3)


def test_windows_that_reach_over_the_ends_are_not_whole() -> None:
    found = speed_slopes(np.arange(31) * 2.0, np.full((1, 31), 20.0))  # three seconds
    assert found.whole[0].tolist() == [5 <= k <= 25 for k in range(31)]


def test_profiles_do_not_touch_each_other() -> None:
    rng = np.random.default_rng(1)
    rows = rng.uniform(20, 50, (50, 40))
    together, alone = speed_slopes(np.arange(40) * 5.0, rows), speed_slopes(np.arange(40) * 5.0, rows[17:18])
    np.testing.assert_allclose(together.along_mps2[17], alone.along_mps2[0], atol=1e-6)
