"""Which laps a change reaches, and which weather a lap was driven in."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analysis.laps.features import REACH_US
from medallion.batching import batches_by_size
from medallion.gold.lap_features import feature_samples
from medallion.gold.refresh.affected import AffectedKeys, laps_of_changed_samples
from medallion.gold.timed_laps import TimedLap, finished_laps, laps_near
from medallion.keys import LapKey
from medallion.part import Part, Span
from medallion.silver.environment import NEAR_US, weather_from_rows

MINUTE_US = 60_000_000
KEYS = [LapKey("s", "v", number) for number in (1, 2, 3)]
# The third lap is under way; the second has no time of day.
LAPS = [
    TimedLap(KEYS[0], 0, 90 * 1_000_000),
    TimedLap(KEYS[1], is_complete=False),
    TimedLap(KEYS[2], 180 * 1_000_000, 200 * 1_000_000, is_complete=False),
]


def group(number: int | None, first_us: int, last_us: int) -> SimpleNamespace:
    return SimpleNamespace(session_id="s", vehicle_id="v", lap_number=number, first_us=first_us, last_us=last_us)


def test_samples_reach_the_lap_they_name_and_the_laps_they_are_close_to() -> None:
    timed = {("s", "v"): LAPS}
    assert laps_of_changed_samples([group(2, 100_000_000, 110_000_000)], timed) == {KEYS[1]}
    assert laps_of_changed_samples([group(2, 90_500_000, 110_000_000)], timed) == {KEYS[0], KEYS[1]}
    assert laps_of_changed_samples([group(None, 202_000_000, 210_000_000)], timed) == {KEYS[2]}
    assert laps_of_changed_samples([group(None, 202_000_001, 210_000_000)], timed) == set()
    assert laps_of_changed_samples([group(7, 0, 1)], {}) == {LapKey("s", "v", 7)}


def test_a_lap_is_over_unless_it_is_the_last_and_has_not_reached_the_line() -> None:
    assert finished_laps({("s", "v"): LAPS}) == set(KEYS[:2])
    assert finished_laps({("s", "v"): LAPS[:1]}) == {KEYS[0]}


@given(st.integers(-300, 300), st.integers(0, 100), st.integers(0, 60))
def test_a_lap_is_near_just_where_no_gap_is_wider_than_the_reach(first: int, length: int, reach: int) -> None:
    near = laps_near([TimedLap(KEYS[0], 0, 90)], first, first + length, reach)
    gap = max(first - 90, 0 - (first + length), 0)
    assert near == ([KEYS[0]] if gap <= reach else [])


def test_laps_with_times_are_read_by_time_and_others_by_number() -> None:
    own = {"session_id": ["s"], "vehicle_id": ["v"]}
    by_time = {"event_ts": Span(-REACH_US, 200_000_000 + REACH_US)}
    assert feature_samples({("s", "v"): LAPS}) == Part((own | {"lap_number": [2]}, own | by_time))


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 30), max_size=12), st.integers(1, 40))
def test_portions_hold_every_session_once_and_no_more_than_they_may(sizes: dict[str, int], most: int) -> None:
    portions = list(batches_by_size(sizes, most))
    assert sorted(session for portion in portions for session in portion) == sorted(sizes)
    assert all(len(portion) == 1 or sum(sizes[session] for session in portion) <= most for portion in portions)


def test_what_is_touched_falls_into_portions_by_session() -> None:
    laps = [LapKey(session, "v", number) for session in "abc" for number in (1, 2)]
    whole = AffectedKeys(laps, laps, [("a", "v"), ("b", "v"), ("c", "v")], ["a", "b", "c", "d"])
    parts = list(whole.split_by_session(4))
    assert [part.sessions for part in parts] == [["a", "b"], ["c", "d"]]
    assert [lap for part in parts for lap in part.features] == laps
    assert [vehicle for part in parts for vehicle in part.vehicles] == whole.vehicles
    assert list(AffectedKeys([], [], [], []).split_by_session(4)) == []
    assert list(AffectedKeys((), laps, (), ()).split_by_session(99)) == [AffectedKeys([], laps, [], [], [], [])]


def test_weather_is_measured_during_a_lap_or_near_it() -> None:
    weather = weather_from_rows(
        [
            (2 * MINUTE_US, 22.0, None, False),
            (0, 20.0, None, None),
            (MINUTE_US, 21.0, 30.0, False),
            (9 * MINUTE_US, 29.0, None, True),
        ]
    )
    assert weather.mean("air_temp_c", MINUTE_US, 2 * MINUTE_US) == 21.5
    assert weather.mean("track_temp_c", 3 * MINUTE_US, 4 * MINUTE_US) == 30.0
    assert weather.mean("air_temp_c", 3 * MINUTE_US, 5 * MINUTE_US) == 22.0
    assert weather.mean("air_temp_c", 8 * MINUTE_US, 8 * MINUTE_US + 1) == 29.0
    assert weather.during("rain", 0, 9 * MINUTE_US).tolist() == [0.0, 0.0, 1.0]
    assert np.isnan(weather.mean("track_temp_c", 7 * MINUTE_US, 8 * MINUTE_US))
    assert np.isnan(weather_from_rows([]).mean("air_temp_c", 0, MINUTE_US))


@given(st.integers(-2 * NEAR_US, 2 * NEAR_US))
def test_weather_further_off_than_five_minutes_is_none(away_us: int) -> None:
    found = weather_from_rows([(away_us, 20.0, None, None)]).mean("air_temp_c", 0, MINUTE_US)
    assert np.isnan(found) == (away_us < -NEAR_US or away_us > MINUTE_US + NEAR_US)
