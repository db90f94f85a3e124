"""Which lap a sample belongs to."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from medallion.silver.driven_laps import lap_numbers

DAY_US = 86_400_000_000
LAPS = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 50), st.integers(0, 50)), max_size=5)


@given(st.lists(st.integers(0, 60), max_size=30), LAPS)
def test_a_sample_has_the_last_of_the_laps_around_it(at: list[int], laps: list[tuple[int, int, int]]) -> None:
    t_us = np.array(sorted(at), np.int64)
    inside = [max((n for n, start, end in laps if start <= t < end), default=None) for t in sorted(at)]
    found = [None if np.isnan(number) else int(number) for number in lap_numbers(t_us, laps)]
    assert found == inside


def test_what_is_longer_than_seven_days_is_no_lap() -> None:
    t_us = np.array([5], np.int64)
    assert lap_numbers(t_us, [(1, 0, 7 * DAY_US)]).tolist() == [1.0]
    assert np.isnan(lap_numbers(t_us, [(1, 0, 7 * DAY_US + 1)])).all()
