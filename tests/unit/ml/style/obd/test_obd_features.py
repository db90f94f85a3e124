from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.style.obd.features import FEATURE_SETS, drive_features, make_windows
from ml.style.obd.reader import SIGNALS


def signals(seed: int, rows: int = 80) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rng.uniform(1, 100, (rows, len(SIGNALS))), columns=list(SIGNALS.values()))
    return table.mask(rng.random(table.shape) < 0.1)


@pytest.mark.parametrize("feature_set", FEATURE_SETS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), cut=st.integers(1, 79))
def test_features_never_look_ahead(feature_set, seed, cut):
    """Whatever happens after a row, nulls included, its features are the same."""
    whole = signals(seed)
    past = drive_features(whole.iloc[:cut], (5, 20), feature_set)
    pd.testing.assert_frame_equal(past, drive_features(whole, (5, 20), feature_set).iloc[:cut])


def test_v22_by_hand():
    drive = signals(1, rows=30).fillna(50.0)
    found = drive_features(drive, (20,), "v22").iloc[-1]
    rpm, load, speed = (drive[name].to_numpy()[-20:] for name in ("rpm", "engine_load_pct", "speed_kmh"))
    power = rpm * load / 100
    want = {
        "power_factor_last": power[-1],
        "rpm_std_20": rpm.std(),
        "rpm_min_20": rpm.min(),
        "rpm_max_20": rpm.max(),
        "rpm_range_20": np.ptp(rpm),
        "engine_load_pct_mean_20": load.mean(),
        "engine_load_pct_max_20": load.max(),
        "power_factor_mean_20": power.mean(),
        "power_factor_max_20": power.max(),
        "speed_kmh_mean_20": speed.mean(),
        "speed_kmh_std_20": speed.std(),
    }
    assert set(found.index) == set(want)
    np.testing.assert_allclose(found[list(want)].to_numpy(), list(want.values()))


def test_nulls_take_the_last_value_and_lead_as_null():
    drive = signals(1, rows=4)
    drive["rpm"] = [np.nan, 1000.0, np.nan, 3000.0]
    found = drive_features(drive, (2,), "v22")["rpm_max_2"].to_numpy()
    np.testing.assert_array_equal(found, [np.nan, 1000.0, 1000.0, 3000.0])


def test_no_engine_speed_is_blind_to_engine_speed():
    drive = signals(4)
    other = drive.assign(rpm=drive["rpm"] * 3 + 1, air_flow_gs=0.0)
    pd.testing.assert_frame_equal(
        drive_features(drive, (10,), "no_engine_speed"), drive_features(other, (10,), "no_engine_speed")
    )


@pytest.mark.parametrize("step", [1, 7])
def test_windows_end_at_their_row_and_stay_in_their_drive(trip, step):
    one = trip(3)
    windows = make_windows(one, (20,), "motion", "driven", step)
    speed = one.signals["speed_kmh"].to_numpy()[windows.row]
    np.testing.assert_allclose(windows.X["speed_kmh_last"], speed)
    starts = windows.position == 0
    assert windows.X.loc[starts, "rpm_range_20"].eq(0).all()
    assert starts.sum() == len(np.unique(windows.drive))
    assert (windows.position % step == 0).all()


def test_notes_of_the_observer_are_no_feature(trip):
    one = trip(3)
    noted = type(one)(one.name, one.signals, ~one.labels, one.annotations.assign(traffic="HighCongestionCondition"))
    for feature_set in FEATURE_SETS:
        a, b = (make_windows(each, (10, 60), feature_set, "driven") for each in (one, noted))
        pd.testing.assert_frame_equal(a.X, b.X)


@pytest.mark.parametrize(
    ("windows", "feature_set", "order", "step"),
    [
        ((), "v22", "driven", 1),
        ((1,), "v22", "driven", 1),
        ((9,), "v22", "driven", 0),
        ((9,), "x", "driven", 1),
        ((9,), "v22", "sorted", 1),
    ],
)
def test_bad_settings(trip, windows, feature_set, order, step):
    with pytest.raises(ValueError, match=r"window_rows|unknown"):
        make_windows(trip(1), windows, feature_set, order, step)
