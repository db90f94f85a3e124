"""Which lap a sample belongs to, and what the samples say of a lap."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medallion.silver.driven_laps import drive_laps, lap_numbers, laps_of_samples

DAY_US = 86_400_000_000
CIRCLE_M = 2_073.45
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


def driven(rate_hz: float) -> pd.DataFrame:
    """Samples of a car that laps a circle of 2,073.45 m in 40 s, fastest at the line; its distance sensor lags."""
    t_s = np.arange(0.0, 130.0, 1.0 / rate_hz)
    mean_mps = CIRCLE_M / 40.0
    return pd.DataFrame(
        {
            "t_us": np.rint(t_s * 1e6).astype(np.int64),
            "speed_kmh": 3.6 * mean_mps * (1.0 + 0.49 * np.cos(2 * np.pi * t_s / 40.0)),
            "lap_number_raw": (t_s // 40.0).astype(np.int32) + 1,
            "lap_distance_m": np.maximum(t_s - 0.1, 0.0) * mean_mps % CIRCLE_M,
            "driver_id": np.where(t_s < 75.0, "D1", None),
        }
    )


@pytest.mark.parametrize("intervals", [None, [(2, 40_000_000, 80_000_000)]])
@pytest.mark.parametrize(("rate_hz", "within_m"), [(500.0, 0.1), (20.0, 0.1), (4.6, 1.0), (2.0, 4.0), (1.0, 20.0)])
def test_a_lap_is_as_long_as_the_circle_at_every_rate(
    intervals: list[tuple[int, int, int]] | None, rate_hz: float, within_m: float
) -> None:
    found = {lap[0]: lap for lap in drive_laps(driven(rate_hz), intervals)}
    assert found[2][-2] == pytest.approx(CIRCLE_M, abs=within_m)


def test_a_lap_whose_speed_is_missing_for_long_has_no_distance() -> None:
    lap = [(2, 40_000_000, 80_000_000)]
    seldom = driven(20.0)
    seldom.loc[seldom["t_us"] % 3_000_000 != 0, "speed_kmh"] = np.nan
    ((*_, samples, _, _, top_kmh, avg_kmh, distance_m, _),) = drive_laps(seldom, lap)
    assert samples == 800
    assert distance_m is None
    assert None not in (top_kmh, avg_kmh)
    ((*_, distance_m, _),) = drive_laps(seldom.assign(speed_kmh=np.nan), lap)
    assert distance_m is None


def test_a_lap_was_driven_by_whom_most_of_its_samples_name() -> None:
    frame = driven(20.0)
    laps = [(n, 40_000_000 * (n - 1), 40_000_000 * n) for n in (1, 2, 3)]
    assert [lap[-1] for lap in drive_laps(frame, laps)] == ["D1", "D1", None]  # who says nothing contradicts nobody
    changed = frame.assign(driver_id=np.where(frame["t_us"] < 55_000_000, "D1", "D2"))
    assert [lap[-1] for lap in drive_laps(changed, laps)] == ["D1", "D2", "D2"]


@pytest.mark.parametrize("rate_hz", [4.6, 20.0, 30.0])
def test_a_sample_is_of_the_lap_whose_distance_it_says(rate_hz: float) -> None:
    frame = driven(rate_hz)
    laps = laps_of_samples(frame, [(n, 40_000_000 * (n - 1), 40_000_000 * n) for n in (1, 2, 3)])
    numbers = lap_numbers(frame["t_us"].to_numpy(np.int64), laps)
    first = frame.groupby(numbers)["lap_distance_m"].first()
    last = frame.groupby(numbers)["lap_distance_m"].last()
    assert (first < 20.0).all()
    assert (last.iloc[:2] > CIRCLE_M - 20.0).all()
    assert [lap[5] for lap in drive_laps(frame, [(2, 40_000_000, 80_000_000)])] == [(numbers == 2).sum()]
