"""What the demo draws."""

from __future__ import annotations

import numpy as np
import pytest

from slipstream.terminal.demo import break_at_line

NAN = np.nan


@pytest.mark.parametrize(
    ("distance_m", "broken"),
    [
        ([2990.0, 2999.0, 1.0, 1500.0, 2998.0, 3.0], [2990.0, 2999.0, NAN, 1.0, 1500.0, 2998.0, NAN, 3.0]),
        ([0.0, 10.0, 9.5, 20.0], [0.0, 10.0, 9.5, 20.0]),  # a sensor's noise is no line
        ([], []),
    ],
)
def test_a_curve_is_broken_at_the_line(distance_m: list[float], broken: list[float]) -> None:
    at, values = break_at_line(np.array(distance_m), np.arange(len(distance_m), dtype=float))
    np.testing.assert_array_equal(at, broken)
    np.testing.assert_array_equal(np.isnan(values), np.isnan(at))
    np.testing.assert_array_equal(values[~np.isnan(values)], np.arange(len(distance_m)))
