"""Laps with labels: nothing leaks, nothing moves, nothing is dropped in silence."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.errors import TrainingDataError
from conf.wear import COMPONENTS
from ml.karma.dataset import KEY, PROMOTION, TEST, TRAIN, build_karma_dataset, track_split
from tests.unit.ml.karma.made_laps import INPUTS, RULES, made_laps, tracks_of

TRACKS = [*tracks_of(TRAIN, 3), *tracks_of(TEST, 2), *tracks_of(PROMOTION, 1)]
names = st.text(min_size=1, max_size=20)


def built(laps: pd.DataFrame, truth: pd.DataFrame):
    return build_karma_dataset(laps, truth, INPUTS, RULES.least_coverage)


@pytest.fixture
def few():
    """Laps of just enough tracks."""
    return made_laps(TRACKS, cars=2, laps=3)


def test_where_tracks_belong_is_frozen():
    known = {
        TRAIN: ["three-oaks", "alder-ridge", "harbour-mile", "drawn-3", "drawn-6", "drawn-9", "drawn-10", "drawn-11"],
        TEST: ["drawn-2", "drawn-5", "drawn-7", "drawn-8", "drawn-18", "drawn-24"],
        PROMOTION: ["drawn-1", "drawn-4", "drawn-16", "drawn-29", "drawn-43"],
    }
    assert {name: track_split(name) for names in known.values() for name in names} == {
        name: split for split, names in known.items() for name in names
    }


@given(names)
def test_a_name_belongs_to_one_part(name):
    assert track_split(name) in (TRAIN, TEST, PROMOTION)
    assert track_split(name) == track_split(str(name.encode(), "utf-8"))


def test_parts_have_their_shares():
    splits = pd.Series([track_split(f"drawn-{i}") for i in range(5_000)])
    shares = splits.value_counts(normalize=True)
    assert shares[PROMOTION] == pytest.approx(0.20, abs=0.02)
    assert shares[TEST] == pytest.approx(0.25, abs=0.02)


def test_more_tracks_move_no_lap(few):
    more = made_laps([*TRACKS, *tracks_of(TRAIN, 6)[3:], *tracks_of(TEST, 4)[2:]], cars=2, laps=3)
    before, after = (built(*data).laps.set_index(KEY)["split"] for data in (few, more))
    assert len(after) > len(before)
    pd.testing.assert_series_equal(after.loc[before.index], before)


def test_no_track_and_no_car_is_on_both_sides(dataset):
    assert dataset.laps.groupby("track_id")["split"].nunique().max() == 1
    assert dataset.laps.groupby(["session_id", "vehicle_id"])["split"].nunique().max() == 1
    assert set(dataset.laps["split"]) == {TRAIN, TEST, PROMOTION}
    assert sum(len(dataset.part(split)[0]) for split in (TRAIN, TEST, PROMOTION)) == len(dataset.laps)


def test_every_lap_has_its_own_damage(few):
    laps, truth = few
    data = built(laps.sample(frac=1.0, random_state=1), truth.sample(frac=1.0, random_state=2))
    assert data.laps[KEY].equals(laps.sort_values(KEY)[KEY].reset_index(drop=True))
    by_lap = truth.set_index([*KEY, "component"])["damage_per_km"]
    for at in (0, 7, len(data.laps) - 1):
        key = tuple(data.laps.loc[at, KEY])
        assert data.damage[at].tolist() == [by_lap[(*key, component)] for component in COMPONENTS]


def test_what_is_left_out_is_counted_by_reason(few):
    laps, truth = few
    laps.loc[[0, 6], "coverage"] = 0.79
    laps.loc[12, "coverage"] = np.nan
    laps.loc[1, "track_id"] = None
    laps.loc[[7, 13], "brake_temp_mean_c"] = np.nan
    lap_of = truth.merge(laps[KEY].reset_index(), on=KEY)["index"].to_numpy()
    truth.loc[lap_of == 2, "is_complete"] = False
    truth = truth[(lap_of != 8) & ~((lap_of == 14) & (truth["component"] == "tyres").to_numpy())]
    data = built(laps, truth)
    assert data.dropped == {"unlabelled": 3, "less covered": 3, "track unknown": 1, "a feature missing": 2}
    assert len(data.laps) == len(data.damage) == len(laps) - 9


def test_laps_that_lack_what_is_not_asked_for_are_kept(few):
    laps, truth = few
    laps.loc[0, "brake_temp_mean_c"] = np.nan
    assert built(laps, truth).dropped["a feature missing"] == 1
    assert len(build_karma_dataset(laps, truth, RULES.columns("no_heat"), 0.8).laps) == len(laps)


@pytest.mark.parametrize("empty", ["laps", "truth", "complete"])
def test_no_laps_at_all_is_an_error_with_the_remedy(few, empty):
    laps, truth = few
    laps, truth = (laps.head(0) if empty == "laps" else laps), (truth.head(0) if empty == "truth" else truth)
    message = r"no lap has features and a label of wear: simulate some \(`slipstream"
    with pytest.raises(TrainingDataError, match=message):
        built(laps, truth.assign(is_complete=empty != "complete"))


@pytest.mark.parametrize("start", [["drawn-1"], tracks_of(TRAIN, 3), tracks_of(PROMOTION, 1), tracks_of(TEST, 5)])
def test_an_error_of_too_few_tracks_names_some_that_mend_it(start):
    tracks, told = list(start), []
    while True:
        try:
            built(*made_laps(tracks, cars=1, laps=2))
            break
        except TrainingDataError as error:
            told.append(str(error))
            more = re.findall(r"drawn-\d+", str(error).partition("simulate on")[2].partition("(")[0])
            assert more
            assert not set(more) & set(tracks)
            tracks += more
    assert 1 <= len(told) <= 3  # one a part that lacked some
    assert all("slipstream produce simulate --track drawn-" in text for text in told)


def test_a_car_with_the_same_parts_on_both_sides_is_an_error(few):
    laps, truth = few
    truth["part_factor"] = truth["vehicle_id"].map({"car-1": 1.1, "car-2": 0.9})
    with pytest.raises(
        TrainingDataError, match=r"car-1 with the same parts drove on .* give each simulated session a --se"
    ):
        built(laps, truth)


def test_a_car_with_the_same_parts_on_two_tracks_of_one_side_is_none(few):
    laps, truth = few
    own = truth["session_id"].str.startswith(tuple(f"{track}-" for track in TRACKS[:3]))
    truth.loc[own, "part_factor"] = truth["vehicle_id"].map({"car-1": 1.1, "car-2": 0.9})
    assert len(built(laps, truth).laps) == len(laps)


def test_the_version_is_that_of_the_rows_and_not_of_their_order(few):
    laps, truth = few
    version = built(laps, truth).version
    shuffled = (frame.sample(frac=1.0, random_state=3)[frame.columns[::-1]] for frame in (laps, truth))
    assert built(*shuffled).version == version
    other = truth.copy()
    other.loc[other.index[5], "damage_per_km"] *= 1.000001
    assert built(laps, other).version != version
    assert built(laps.assign(speed_max=laps["speed_max"] + 1e-9), truth).version != version
    assert build_karma_dataset(laps, truth, INPUTS[:-1], 0.8).version != version
    assert built(laps.assign(is_synthetic=False), truth).version == version  # nothing is learned from it
