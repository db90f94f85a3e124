"""Labels, split and data set: nothing leaks, nothing moves, nothing is dropped in silence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.contract import load_contract
from ml.style.dataset import KEY, build_style_dataset
from ml.style.features import CHASSIS_FEATURES, EXCLUDED, STYLE_FEATURES, style_label
from ml.style.split import PROMOTION, TEST, TRAIN, LeakError, SplitConfig, assert_no_leak, group_split, split_group


def test_every_window_column_is_a_feature_or_has_a_reason_not_to_be():
    columns = {column.name for column in load_contract("gold.telemetry_windows").columns} - {"run_id"}
    assert set(STYLE_FEATURES) | set(EXCLUDED) >= columns
    assert not set(STYLE_FEATURES) & set(EXCLUDED)
    assert set(CHASSIS_FEATURES) < set(STYLE_FEATURES)
    assert len(set(STYLE_FEATURES)) == len(STYLE_FEATURES)


def test_three_profiles_make_two_classes():
    assert style_label("aggressive") == "AGGRESSIVE"
    assert {style_label(profile) for profile in ("eco", "safe", "normal")} == {"NORMAL"}
    with pytest.raises(ValueError, match="driver_profile 'sporty'"):
        style_label("sporty")


@given(st.text(max_size=20), st.text(max_size=20), st.sampled_from(["aggressive", "eco"]))
def test_a_groups_split_is_for_good(session, vehicle, profile):
    group = split_group(session, vehicle)
    first = group_split(group, profile)
    assert first == group_split(group, profile)
    # The promotion set is frozen: no seed and no other test share moves a group into or out of it.
    for other in (SplitConfig(seed=9), SplitConfig(test_share=0.5)):
        assert (group_split(group, profile, other) == PROMOTION) == (first == PROMOTION)


def test_shares_are_met_within_each_profile():
    for profile in ("aggressive", "eco", "safe", "normal"):
        splits = pd.Series([group_split(split_group("race", f"car-{i}"), profile) for i in range(4000)])
        assert (splits == PROMOTION).mean() == pytest.approx(0.1, abs=0.02)
        rest = splits[splits != PROMOTION]
        assert (rest == TEST).mean() == pytest.approx(0.2, abs=0.02)


def test_a_new_seed_makes_another_split():
    groups = [split_group("race", f"car-{i}") for i in range(300)]
    moved = sum(group_split(g, "eco") != group_split(g, "eco", SplitConfig(seed=1)) for g in groups)
    assert moved > 30


def test_windows_of_one_vehicle_stay_together(windows):
    data = build_style_dataset(windows)
    assert data.frame.groupby(["session_id", "vehicle_id"])["split"].nunique().max() == 1
    assert set(data.frame["split"]) >= {TRAIN, TEST}


def test_a_leak_is_found(dataset):
    leaky = dataset.frame.copy()
    row = leaky.index[leaky["split"] == TRAIN][0]
    leaky.loc[row, "split"] = TEST
    with pytest.raises(LeakError, match="2 splits"):
        assert_no_leak(leaky)


def test_what_is_left_out_is_counted_by_reason(windows):
    spoilt = windows[windows["is_complete"]].reset_index(drop=True)
    clean = build_style_dataset(spoilt)
    spoilt.loc[0:4, "is_complete"] = False
    spoilt.loc[5:7, "driver_profile"] = None
    spoilt.loc[[8, 9], "load_max_10s"] = np.nan
    data = build_style_dataset(spoilt)
    before = clean.dropped["missing_feature"]
    assert data.dropped == {"incomplete": 5, "unlabelled": 3, "missing_feature": before + 2}
    assert len(data.frame) + sum(data.dropped.values()) == len(spoilt)
    assert "5 incomplete" in data.summary()


def test_the_version_is_that_of_the_rows_and_not_of_their_order(windows):
    data = build_style_dataset(windows)
    assert build_style_dataset(windows.sample(frac=1.0, random_state=1)).version == data.version
    assert build_style_dataset(windows, config=SplitConfig(seed=5)).version != data.version
    changed = windows.copy()
    changed["rpm_avg_10s"] += 1.0
    assert build_style_dataset(changed).version != data.version


def test_labels_come_from_the_table_where_it_has_them(windows):
    labelled = windows.assign(style_label=windows["driver_profile"].map(style_label)).drop(columns="driver_profile")
    pd.testing.assert_frame_equal(
        build_style_dataset(labelled).frame[[*KEY, "label"]], build_style_dataset(windows).frame[[*KEY, "label"]]
    )


def test_bad_windows_are_refused_with_what_is_wrong(windows):
    with pytest.raises(ValueError, match="lacks load_max_10s"):
        build_style_dataset(windows.drop(columns="load_max_10s"))
    with pytest.raises(ValueError, match="neither style_label nor driver_profile"):
        build_style_dataset(windows.drop(columns="driver_profile"))
    with pytest.raises(ValueError, match="repeats the key"):
        build_style_dataset(pd.concat([windows, windows.head(1)]))
    with pytest.raises(ValueError, match="style_label holds"):
        build_style_dataset(windows.assign(style_label="FAST"))
