"""The bicycle model comes back from laps that were made with one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.dptad.even_lap import resample_to_grid
from analysis.dptad.handling import assess_handling, fit_steering
from analysis.laps.trace import LapTrace
from conf.units import GRAVITY_MPS2

Make = Callable[..., LapTrace]


@settings(max_examples=20, deadline=None)
@given(st.floats(1000, 3000), st.floats(-10, 40), st.floats(-10, 10), st.sampled_from([-1.0, 1.0]))
def test_the_cars_own_handling_is_recovered_whichever_way_its_sensors_sit(
    gain: float, understeer: float, zero: float, side: float
) -> None:
    """Two radii at two speeds, so that curvature and acceleration are told apart."""
    t = np.arange(0.0, 80.0, 0.05)
    speed = np.where(t % 40 < 20, 20.0, 35.0)
    lateral = 1.2 * np.sin(2 * np.pi * t / 10.0)

    def steer(at: np.ndarray) -> np.ndarray:
        ahead = 1.2 * np.sin(2 * np.pi * (at + 0.1) / 10.0)
        return zero + gain * ahead * GRAVITY_MPS2 / speed**2 + understeer * ahead

    channels = {"speed_kmh": speed * 3.6, "accel_lat_g": side * lateral, "steering_deg": steer(t)}
    lap = resample_to_grid(LapTrace(t, np.cumsum(speed) * 0.05, channels, 80.0))
    model = fit_steering(lap)
    assert model is not None
    assert model.gain_deg_m == pytest.approx(gain, rel=0.03)
    assert model.understeer_deg_per_g == pytest.approx(understeer, abs=2.0)
    assert model.zero_deg == pytest.approx(zero, abs=0.5)
    # Beside the moments at which the speed jumps, the car gets what it needs.
    assert np.nanmedian(np.abs(assess_handling(lap).excess_deg)) < 1.0


def test_incidents_in_the_lap_do_not_bend_the_model(hand_made: Make) -> None:
    quiet = hand_made()
    jerky = quiet.channels["steering_deg"].copy()
    jerky[(quiet.t_s % 10 > 5) & (quiet.t_s % 10 < 5.5)] -= 80.0
    was, now = (
        fit_steering(resample_to_grid(hand_made(steering_deg=x))) for x in (quiet.channels["steering_deg"], jerky)
    )
    assert was is not None
    assert now is not None
    needed = [m.gain_deg_m * 0.012 + m.understeer_deg_per_g * 1.1 for m in (was, now)]
    assert needed[1] == pytest.approx(needed[0], abs=3.0)


def test_a_lap_that_hardly_turns_cannot_tell(hand_made: Make) -> None:
    quiet = hand_made()
    lap = resample_to_grid(hand_made(accel_lat_g=np.zeros(quiet.t_s.size)))
    assert fit_steering(lap) is None
    assert np.isnan(assess_handling(lap).excess_deg).all()
