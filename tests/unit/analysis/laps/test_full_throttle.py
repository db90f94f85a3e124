"""Full throttle is what a car's own readings come to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.laps.features import compute_lap_features
from analysis.laps.full_throttle import is_full_throttle, throttle_plateau_pct


def lap_of(full_pct: float, share: float = 0.4, noise_pct: float = 0.15) -> np.ndarray:
    """A lap with so much of it at full throttle, the rest anywhere below."""
    rng = np.random.default_rng(1)
    part = rng.uniform(0.0, 0.9 * full_pct, 1_000)
    part[: round(share * 1_000)] = full_pct
    return np.clip(part + rng.normal(0.0, noise_pct, 1_000), 0.0, None)


@given(full_pct=st.floats(40.0, 100.0), share=st.floats(0.1, 0.9))
def test_the_plateau_is_where_the_readings_end(full_pct: float, share: float) -> None:
    lap = lap_of(full_pct, share)
    plateau = throttle_plateau_pct(lap)
    assert plateau == pytest.approx(full_pct, abs=0.6)
    assert is_full_throttle(lap, plateau)[: round(share * 1_000)].all()
    assert not is_full_throttle(lap, plateau)[round(share * 1_000) :].any()


def test_single_readings_beyond_it_do_not_move_it() -> None:
    lap = lap_of(96.5)
    lap[-20:] = 100.0
    assert throttle_plateau_pct(lap) == pytest.approx(96.5, abs=0.6)


def test_a_lap_that_was_never_flat_out_has_the_cars_plateau() -> None:
    held_up = lap_of(55.0)
    assert throttle_plateau_pct(held_up, 96.5) == 96.5
    assert not is_full_throttle(held_up, 96.5).any()
    assert throttle_plateau_pct(lap_of(92.0), 96.5) == pytest.approx(92.0, abs=0.6)  # a foot that stops short of it
    assert throttle_plateau_pct(np.full(5, np.nan), 96.5) == 96.5


def test_where_nothing_is_known_nothing_is_full() -> None:
    assert np.isnan(throttle_plateau_pct(np.full(5, np.nan)))
    assert not is_full_throttle(np.array([0.0, 100.0, np.nan]), np.nan).any()


def test_readings_count_by_how_long_they_hold() -> None:
    values, seconds = np.array([100.0, 90.0, 20.0]), np.array([0.01, 0.50, 0.49])
    assert throttle_plateau_pct(values, seconds=seconds) == 90.0


@pytest.mark.parametrize("reads", [1.0, 0.965, 0.6])
def test_the_share_of_a_lap_at_full_throttle_does_not_depend_on_what_it_reads(reads: float) -> None:
    t_s = np.arange(0.0, 100.0, 0.05)
    throttle = np.where((t_s % 10.0) < 4.0, 100.0, 50.0) * reads
    found = compute_lap_features(t_s, {"speed_kmh": np.full(len(t_s), 100.0), "throttle_pct": throttle})
    assert found["full_throttle_share"] == pytest.approx(0.4, abs=2e-3)
