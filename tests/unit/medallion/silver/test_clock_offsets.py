"""Car clocks to UTC: steps up and down, drift, late bursts, clocks that stand still, and any order of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medallion.silver import clock_offsets
from medallion.silver.clock_offsets import (
    STILL_US,
    fill_arrivals,
    find_stopped_clock,
    fit_lower_envelope,
    normalise_clock,
    restate_vehicle,
)
from medallion.silver.clock_steps import find_clock_steps

S = 1_000_000
T0 = 1_757_181_600 * S


def drive(seconds: int = 1800, *, hz: int = 5, seed: int = 0, offset_s: float = -86_400.0, drift: float = 0.0):
    """True time, car clock and arrival of a car: delays of 0.1 s and up, now and then a late burst of up to 30 s."""
    rng = np.random.default_rng(seed)
    true = T0 + np.arange(seconds * hz) * (S // hz)
    car = true + round(offset_s * S) + np.round(drift * (true - T0)).astype(np.int64)
    late = 100_000 + rng.exponential(50_000, len(true)).astype(np.int64)
    for start in rng.integers(0, len(true) - 60, max(1, len(true) // 900)):
        burst = slice(start, start + 60)
        late[burst] = np.maximum(late[burst], true[start + 59] + 10 * S - true[burst])
    return true, car, true + late


def in_arrival_order(true, car, arrival):
    order = np.argsort(arrival, kind="stable")
    return true[order], car[order], arrival[order]


@pytest.mark.parametrize("drift", [0.0, 40e-6, -40e-6])
def test_event_time_is_true_time_but_for_the_shortest_delay(drift) -> None:
    true, car, arrival = in_arrival_order(*drive(drift=drift))
    event, still, segments = normalise_clock(car, arrival)
    assert not still.any()
    assert len(segments) == 1
    assert np.abs(event - true - 100_000).max() < 30_000
    assert segments[0].drift == pytest.approx(-drift, abs=3e-6)


@pytest.mark.parametrize("step_s", [418.5, -418.5, 7.0, -7.0])
def test_a_step_either_way_is_found_where_it_is(step_s) -> None:
    true, car, arrival = drive()
    at = len(true) * 2 // 5
    car = car.copy()
    car[at:] += round(step_s * S)
    true, car, arrival = in_arrival_order(true, car, arrival)
    event, _, segments = normalise_clock(car, arrival)
    assert len(segments) == 2
    assert segments[0].offset_us - segments[1].offset_us == pytest.approx(step_s * S, abs=100_000)
    assert (np.abs(event - true - 100_000) < 100_000).mean() > 0.995


def test_two_steps_are_three_segments() -> None:
    true, car, arrival = drive(3000)
    car = car.copy()
    car[4000:] -= 60 * S
    car[9000:] += 90 * S
    _, car, arrival = in_arrival_order(true, car, arrival)
    assert len(normalise_clock(car, arrival)[2]) == 3


def test_late_bursts_alone_are_no_step() -> None:
    for seed in range(5):
        _, car, arrival = in_arrival_order(*drive(seed=seed))
        assert find_clock_steps(arrival, arrival - car) == []


def queue(seconds: int, down_s: int, up_s: int, per_s: float) -> tuple[Any, Any]:
    """True time and arrival, five a second, of which those of ``down_s`` to ``up_s`` wait and then pass in order."""
    true = T0 + np.arange(seconds * 5) * S // 5
    arrival, free = true + 100_000, T0 + up_s * S
    for i in range(down_s * 5, len(true)):
        if arrival[i] > free:
            break
        free += round(S / per_s)
        arrival[i] = free
    return true, arrival


@pytest.mark.parametrize("where", ["start", "middle", "end"])
@pytest.mark.parametrize("lasts_s", [20, 60, 110])
@pytest.mark.parametrize("step_s", [-86_400.0, 86_400.0, -45.05, 45.05, -3600.05, 3600.05])
def test_a_brief_offset_is_found_wherever_it_is(where, lasts_s, step_s) -> None:
    true, arrival = queue(400, 130, 140, 20)
    arrival = arrival + np.random.default_rng(lasts_s).exponential(50_000, len(true)).astype(np.int64)
    begins = T0 + {"start": 0, "middle": 200, "end": 400 - lasts_s}[where] * S
    car = true + np.where((true >= begins) & (true < begins + lasts_s * S), round(step_s * S), 0)
    true, car, arrival = in_arrival_order(true, car, arrival)
    event, _, segments = normalise_clock(car, arrival)
    assert len(segments) == (3 if where == "middle" else 2)
    assert np.abs(event - true - 100_000).max() < 100_000


@pytest.mark.parametrize("arrive", ["in frames", "overtaking"])
@pytest.mark.parametrize("set_at_s", [40, 300])
@pytest.mark.parametrize("step_s", [-86_400.0, 86_400.0, -20.013, 20.013])
def test_messages_beside_a_step_are_of_their_own_side_of_it(arrive, set_at_s, step_s) -> None:
    """A clock is set in the middle of a frame whose samples arrive together, or late ones are overtaken."""
    true = T0 + np.arange(600 * 20) * S // 20
    if arrive == "in frames":
        arrival = np.repeat(true[19::20], 20) + 200_000
    else:
        arrival = true + 100_000 + np.random.default_rng(set_at_s).exponential(100_000, len(true)).astype(np.int64)
    car = true + np.where(true < T0 + set_at_s * S + S // 2, round(step_s * S), 0)
    found = restate_vehicle(samples(car, arrival)).sort_values("event_ts")
    event = found["event_ts"].astype("datetime64[us]").astype(np.int64).to_numpy()
    assert found["segment"].nunique() == 2
    assert np.abs(event - true).max() < S


@pytest.mark.parametrize("back_s", [8, 60])
def test_a_clock_that_is_put_back_says_its_values_again_and_does_not_stand_still(back_s) -> None:
    true = T0 + np.arange(360 * 5) * S // 5
    car = np.where(true < T0 + 90 * S, true + back_s * S, true)
    frame = samples(car, true + 200_000)
    frame["ecu_seq"] = frame.groupby("ecu_us").cumcount()
    found = restate_vehicle(frame).sort_values("event_ts")
    assert set(found["clock_source"]) == {"car"}
    assert np.abs(found["event_ts"].astype("datetime64[us]").astype(np.int64) - true).max() <= 200_000


@pytest.mark.parametrize("at", [0, 3, 700, 1799])
def test_messages_of_a_moment_whose_clock_is_ahead_are_by_themselves(at) -> None:
    true = T0 + np.arange(1800) * S // 5
    car = true.copy()
    car[at] += 7200 * S
    event, _, _ = normalise_clock(car, true + 100_000)
    assert np.abs(event - true).max() <= 100_000


@pytest.mark.parametrize("per_s", [6, 10, 50])
@pytest.mark.parametrize("down_s", [0, 20, 200])
def test_a_queue_is_no_step_however_long_it_takes_to_empty(per_s, down_s) -> None:
    true, arrival = queue(900, down_s, down_s + 40, per_s)
    assert find_clock_steps(arrival, arrival - true + 86_400 * S) == []
    still_waiting = slice(0, down_s * 5 + 150)
    assert find_clock_steps(arrival[still_waiting], (arrival - true)[still_waiting]) == []


def test_what_is_sent_again_an_hour_later_is_placed_where_it_belongs() -> None:
    true = T0 + np.arange(3000) * S // 5
    arrival = true + 100_000
    arrival[1000:1300] += 3600 * S
    true, car, arrival = in_arrival_order(true, true - 86_400 * S, arrival)
    event, _, segments = normalise_clock(car, arrival)
    assert len(segments) == 1
    assert np.abs(event - true).max() <= 100_000


def test_a_clock_that_stopped_for_a_pause_shortly_before_the_end() -> None:
    """As it is switched off and on: it goes on where it was, and no message says that time has passed."""
    true = T0 + np.concatenate([np.arange(1000) * S // 5, 320 * S + np.arange(300) * S // 5])
    car = true - np.where(np.arange(1300) < 1000, 0, 120 * S)
    event, _, segments = normalise_clock(car, true + 100_000)
    assert len(segments) == 2
    assert np.abs(event - true).max() <= 100_000


def test_a_clock_that_stands_still_takes_arrival_time() -> None:
    _, car, arrival = in_arrival_order(*drive(120))
    car = car.copy()
    car[200:260] = car[200]
    event, still, _ = normalise_clock(car, arrival)
    assert set(np.flatnonzero(still)) == set(range(200, 260))
    assert (event[still] == arrival[still]).all()
    whole = np.full(50, T0)
    event, still, segments = normalise_clock(whole, T0 + np.arange(50) * S)
    assert still.all()
    assert (event == T0 + np.arange(50) * S).all()
    assert len(segments) == 1


def test_a_late_repeat_of_a_moving_clock_is_not_standing_still() -> None:
    car = np.array([1, 2, 2, 3]) * S
    soon = np.array([2 * S, 3 * S, 3 * S + STILL_US, 5 * S])
    assert not find_stopped_clock(car, soon).any()
    assert find_stopped_clock(car, soon + np.array([0, 0, 1, 0])).tolist() == [False, True, True, False]


def test_a_short_stretch_gets_a_level_line_at_its_minimum() -> None:
    ecu = np.arange(100, dtype=np.int64) * S
    lateness = 5 * S + (np.arange(100, dtype=np.int64) * 7919 % 1000)
    assert fit_lower_envelope(ecu, lateness) == (lateness.min(), 0.0)


@settings(max_examples=60, deadline=None)
@given(
    delays=st.lists(st.integers(0, 60 * S), min_size=1, max_size=200),
    gaps=st.lists(st.integers(0, 30 * S), min_size=1, max_size=200),
    steps=st.lists(st.tuples(st.integers(0, 199), st.integers(-500 * S, 500 * S)), max_size=3),
)
def test_event_time_is_never_later_than_arrival(delays, gaps, steps) -> None:
    n = min(len(delays), len(gaps))
    true = T0 + np.cumsum(gaps[:n])
    arrival = true + np.array(delays[:n])
    car = true - 86_400 * S
    for at, step in steps:
        car[at:] += step
    order = np.argsort(arrival, kind="stable")
    event, _, segments = normalise_clock(car[order], arrival[order])
    assert (event <= arrival[order]).all()
    assert [s.first for s in segments] == sorted({s.first for s in segments})


def test_the_order_of_rows_and_partitions_does_not_matter() -> None:
    _, car, arrival = drive(900)
    car[2000:] -= 60 * S
    frame = pd.DataFrame(
        {"session_id": "s", "vehicle_id": "v", "ecu_us": car, "arrival_us": arrival, "ecu_seq": np.arange(len(car)) % 2}
    )
    one = clock_offsets.restate_vehicle(frame)
    other = clock_offsets.restate_vehicle(frame.sample(frac=1, random_state=3))
    pd.testing.assert_frame_equal(one, other)


def test_indianapolis_car_47_loses_418_seconds_once(data_dir) -> None:
    path = data_dir / "grcup/indianapolis/indianapolis_r1_2cars_fullrace.parquet"
    from producers.replay.reader import read_telemetry

    frame = read_telemetry(path).frame.filter(pl.col("vehicle_id").cast(pl.String).str.ends_with("-47"))
    rows = frame.unique(["timestamp_us", "ecu_seq"], keep="first").sort("meta_time_us", "timestamp_us")
    car, arrival = rows["timestamp_us"].to_numpy(), rows["meta_time_us"].to_numpy()
    event, _, segments = normalise_clock(car, arrival)
    steps = np.diff([s.offset_us for s in segments]) / 1e6
    assert np.abs(steps).tolist() == pytest.approx([418.5], abs=1.0)
    assert (event <= arrival).all()
    assert np.median(arrival - event) < 60 * S


@settings(max_examples=100, deadline=None)
@given(
    lateness=st.lists(st.integers(0, 200_000), min_size=2, max_size=300),
    in_frame=st.integers(1, 30),
)
def test_the_line_touches_the_lateness_from_below(lateness, in_frame) -> None:
    """Also where the samples of a frame share one arrival, so that their lateness falls along a line."""
    ecu = np.arange(len(lateness) * in_frame, dtype=np.int64) * S
    late = np.repeat(np.array(lateness, np.int64), in_frame) * 10 + np.tile(np.arange(in_frame)[::-1], len(lateness))
    offset, drift = fit_lower_envelope(ecu, late)
    above = late - (offset + drift * ecu)
    assert above.min() >= -1  # microseconds: the offset is rounded
    assert above.min() <= 1


def samples(car: Any, arrival: Any) -> pd.DataFrame:
    return pd.DataFrame({"session_id": "s", "vehicle_id": "c", "ecu_seq": 0, "ecu_us": car, "arrival_us": arrival})


@given(st.integers(0, 5), st.data())
@settings(max_examples=25, deadline=None)
def test_samples_that_do_not_say_when_they_came_are_where_their_neighbours_are(seed: int, data: st.DataObject) -> None:
    """A clock that is a day behind: what is filled with the car's own clock would come a day before all others."""
    true, car, arrival = drive(200, seed=seed)
    unknown = data.draw(st.lists(st.integers(0, len(car) - 1), min_size=1, max_size=len(car) - 1, unique=True))
    some = pd.Series(arrival, dtype=float)
    some[unknown] = np.nan
    found = restate_vehicle(samples(car, some)).sort_values("ecu_ts")
    event = found["event_ts"].astype("datetime64[us]").astype(np.int64).to_numpy()
    late = (arrival - true)[np.setdiff1d(np.arange(len(car)), unknown)].min()
    assert np.abs(event - true - late).max() <= 1


def test_a_car_of_which_no_arrival_is_known_keeps_its_clock() -> None:
    car = T0 + np.arange(300) * S
    found = restate_vehicle(samples(car, [None] * 300))
    assert found["event_ts"].astype("datetime64[us]").astype(np.int64).tolist() == car.tolist()


def test_arrivals_that_are_known_stay() -> None:
    car, arrival = np.array([5, 1, 9, 100]), pd.Series([50.0, None, None, 170.0])
    assert fill_arrivals(car, arrival).tolist() == [50, 46, 54, 170]
