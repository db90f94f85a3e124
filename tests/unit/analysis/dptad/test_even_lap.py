from __future__ import annotations

import numpy as np
import pytest

from analysis.dptad.even_lap import interpolate_channel, rate_of_change, resample_to_grid, rolling_mean
from analysis.laps.trace import LapTrace
from analysis.signals.held import seconds_to_us


def test_a_channel_is_linear_between_close_samples_and_missing_across_a_gap() -> None:
    grid = seconds_to_us(np.arange(0.0, 1.01, 0.05))
    values = interpolate_channel(seconds_to_us([0.0, 0.2, 0.6, 0.8]), np.array([0.0, 2.0, 6.0, 8.0]), grid)
    assert values[:5] == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0])
    assert np.isnan(values[5:12]).all()  # 0.4 s without a sample
    assert values[12:17] == pytest.approx([6.0, 6.5, 7.0, 7.5, 8.0])
    assert np.isnan(values[17:]).all()


def test_speed_at_a_fifth_of_the_rate_is_read_between_its_samples() -> None:
    t = np.arange(0.0, 10.0, 0.043)
    speed = np.where(np.arange(t.size) % 5 == 0, 100.0 + 10.0 * t, np.nan)
    lap = resample_to_grid(LapTrace(t, t * 30, {"speed_kmh": speed}, 10.0))
    known = np.isfinite(lap.speed_kmh)
    assert known.mean() > 0.97
    assert lap.speed_kmh[known] == pytest.approx(100.0 + 10.0 * lap.t_s[known])
    assert np.isnan(lap.rpm).all()


def test_errors_name_the_channel_and_the_remedy() -> None:
    t = np.arange(0.0, 10.0, 0.1)
    with pytest.raises(ValueError, match="channel rpm: it has shape"):
        resample_to_grid(LapTrace(t, t, {"rpm": t[1:]}, 10.0))
    with pytest.raises(ValueError, match="at least one sample"):
        resample_to_grid(LapTrace(t[:0], t[:0], {}, 10.0))


def test_rates_and_means_are_unknown_beside_a_gap() -> None:
    x = np.array([0.0, 1.0, 2.0, np.nan, 4.0, 5.0, 6.0])
    assert rate_of_change(x)[[1, 5]] == pytest.approx([20.0, 20.0])
    assert np.isnan(rate_of_change(x)[[0, 2, 4, 6]]).all()
    assert np.isnan(rolling_mean(x, 3)[2:5]).all()
