"""From columns to inputs: per km, linear in heat, finite where a lap has none of it, and aware of what is new."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.karma.inputs import PER_KM, InputScaling, fit_scaling, has_all_columns
from tests.unit.ml.karma.made_laps import INPUTS, SELDOM, made_laps

LAPS, _ = made_laps(["drawn-1", "drawn-3", "drawn-5"], cars=4, laps=8)
SCALING = fit_scaling(LAPS, INPUTS)


def moved(**changes: object) -> np.ndarray:
    """How inputs move when columns do."""
    return SCALING.to_inputs(LAPS.assign(**changes)) - SCALING.to_inputs(LAPS)


def places(*names: str) -> list[int]:
    return [INPUTS.index(name) for name in names]


def test_the_training_laps_have_mean_zero_and_spread_one():
    inputs = SCALING.to_inputs(LAPS)
    np.testing.assert_allclose(inputs.mean(axis=0), 0.0, atol=1e-9)
    np.testing.assert_allclose(inputs.std(axis=0), 1.0)


def test_every_sum_and_count_is_named_as_one():
    sums = {name for name in INPUTS if name.endswith(("_count", "_sum_g", "_rpm_sum", "_rpm_s"))}
    assert sums == set(PER_KM)


@given(st.floats(0.2, 5.0))
def test_a_longer_lap_of_the_same_kind_has_the_same_inputs(times):
    longer = {name: LAPS[name] * times for name in PER_KM} | {"distance_km": LAPS["distance_km"] * times}
    np.testing.assert_allclose(moved(**longer), 0.0, atol=1e-9)
    alone = moved(distance_km=LAPS["distance_km"] * times)
    rest = [i for i, name in enumerate(INPUTS) if name not in PER_KM]
    np.testing.assert_array_equal(alone[:, rest], 0.0)


@given(st.floats(-80.0, 80.0))
def test_heat_counts_as_it_is(kelvin):
    (at,) = places("brake_temp_mean_c")
    by = moved(brake_temp_mean_c=LAPS["brake_temp_mean_c"] + kelvin)
    np.testing.assert_allclose(by[:, at], kelvin / LAPS["brake_temp_mean_c"].std(ddof=0), atol=1e-9)
    assert not np.delete(by, at, axis=1).any()


@given(st.floats(1.05, 8.0))
def test_all_else_counts_by_its_logarithm(times):
    (at,) = places("grip_work_g2")
    by = moved(grip_work_g2=LAPS["grip_work_g2"] * times)[:, at] * SCALING.std[at]
    np.testing.assert_allclose(by, np.log(times), rtol=0.05)  # next to nothing is added


def test_what_most_laps_lack_stays_finite_and_tells_laps_apart():
    for name in SELDOM:
        (at,) = places(name)
        inputs = SCALING.to_inputs(LAPS)[:, at]
        assert np.isfinite(inputs).all()
        with_it = (LAPS[name] > 0).to_numpy()
        assert inputs[with_it].min() > inputs[~with_it].max()
        assert np.ptp(inputs[~with_it]) == 0
        none, little, usual = (by[0, at] for by in (with_amount(name, share) for share in (0.0, 0.01, 1.0)))
        assert little - none < 0.1 * (usual - none)  # a trace of it is about as good as none


def with_amount(name: str, share: float) -> np.ndarray:
    """Inputs of laps with so much of what those that have any of it have."""
    per_km = LAPS[name] / (LAPS["distance_km"] if name in PER_KM else 1.0)
    amount = share * per_km[per_km > 0].median() * (LAPS["distance_km"] if name in PER_KM else 1.0)
    return SCALING.to_inputs(LAPS.assign(**{name: amount}))


def test_what_no_training_lap_had_says_nothing_and_stays_finite():
    none = LAPS.assign(over_rev_rpm_s=0.0)
    scaling = fit_scaling(none, INPUTS)
    (at,) = places("over_rev_rpm_s")
    assert not scaling.to_inputs(none)[:, at].any()
    assert np.isfinite(scaling.to_inputs(LAPS)).all()
    assert scaling.outside(scaling.to_inputs(none.assign(over_rev_rpm_s=500.0)))[:, at].min() > 0


def test_inside_what_training_saw_nothing_is_outside_and_beyond_it_grows():
    middle = SCALING.to_inputs(LAPS.median(numeric_only=True).to_frame().T)
    assert not SCALING.outside(middle).any()
    assert (SCALING.outside(SCALING.to_inputs(LAPS)) > 0).mean() < 0.02
    (at,) = places("speed_mean")
    far = np.zeros((40, len(INPUTS)))
    far[:, at] = np.linspace(0.0, 10.0, 40)
    for side in (far, -far):
        beyond = SCALING.outside(side)
        assert beyond[0, at] == 0 < beyond[-1, at]
        assert (np.diff(beyond[:, at]) >= 0).all()
        assert not np.delete(beyond, at, axis=1).any()


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA, np.inf])
def test_a_lap_is_complete_with_all_columns(nothing):
    holed = LAPS.astype({"speed_max": object})
    holed.loc[3, "speed_max"] = nothing
    known = has_all_columns(holed.assign(speed_max=holed["speed_max"].astype("Float64")), ["speed_max", "rpm_mean"])
    assert known.tolist() == [i != 3 for i in range(len(LAPS))]
    assert has_all_columns(holed, ["rpm_mean"]).all()


def test_the_scaling_knows_its_columns_by_name():
    assert isinstance(SCALING, InputScaling)
    shuffled = LAPS[LAPS.columns[::-1]].assign(more=1.0)
    np.testing.assert_array_equal(SCALING.to_inputs(shuffled), SCALING.to_inputs(LAPS))
