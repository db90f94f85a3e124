"""Laps by their names: of a simulated race, read as a user would ask for them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serving.lake.reader import LakeReader
from serving.queries.laps import (
    LapError,
    LapName,
    choose_session,
    find_best_lap,
    find_lap,
    laps_of_vehicle,
    rank_by_time,
    read_laps,
    sessions_with_laps,
)
from tests.unit.serving.race_lake import SESSION, race, race_lake, write_rows


@pytest.fixture(scope="module")
def lake():
    return race_lake()


def test_laps_are_those_of_the_race(lake):
    laps = read_laps(lake, SESSION)
    truth = {(r["vehicle_id"], r["lap_number"]): r for r in race().laps().to_dicts()}
    assert len(laps) == len(truth)
    for lap in laps:
        true = truth[lap.vehicle_id, lap.lap_number]
        assert lap.uid == f"{SESSION}/{lap.vehicle_id}/{lap.lap_number}"
        assert lap.end_us == pytest.approx(true["end_us"], abs=1_000)
        assert lap.lap_time_s == pytest.approx((lap.end_us - lap.start_us) / 1e6)
        assert lap.sample_count == pytest.approx(lap.lap_time_s * race().settings.rate_hz, rel=0.06)
        if None not in lap.sectors_s:
            assert sum(lap.sectors_s) == pytest.approx(lap.lap_time_s, abs=2e-3)
    assert any("yellow_flag" in lap.invalid_reasons for lap in laps)
    assert read_laps(lake) == laps
    assert sessions_with_laps(lake) == (SESSION,) == (choose_session(lake, None),)


def test_a_vehicle_by_id_and_by_number(lake):
    laps = read_laps(lake, SESSION)
    car = race().cars[0]
    own = laps_of_vehicle(laps, car.vehicle_id)
    assert {lap.vehicle_id for lap in own} == {car.vehicle_id}
    assert laps_of_vehicle(laps, str(car.entered_number)) == own
    with pytest.raises(LapError, match=rf"no vehicle 'x': vehicles are .*{own[0].vehicle_id} \({car.entered_number}\)"):
        laps_of_vehicle(laps, "x")
    twice = [replace(lap, vehicle_number=7, car_number="7") for lap in laps]
    with pytest.raises(LapError, match="number 7 is not of one vehicle"):
        laps_of_vehicle(twice, "7")


def test_best_is_the_quickest_lap_fit_for_pace(lake):
    car = race().cars[0].vehicle_id
    own = laps_of_vehicle(read_laps(lake, SESSION), car)
    best = find_lap(lake, LapName.parse(f"{SESSION}/{car}/best"))
    assert best == find_best_lap(own) == rank_by_time(own)[0]
    assert best.lap_time_ms == min(lap.lap_time_ms for lap in own if "pace" in lap.fit_for)
    assert best.lap_number != 1
    assert find_best_lap(()) is None
    assert find_best_lap(lap for lap in own if "pace" not in lap.fit_for) is None


def test_equal_times_are_settled_by_vehicle_and_number(lake):
    one, *_ = rank_by_time(read_laps(lake, SESSION))
    others = [replace(one, vehicle_id="b", lap_number=2), replace(one, vehicle_id="a", lap_number=9)]
    assert find_best_lap(others).vehicle_id == "a"


@pytest.mark.parametrize("text", ["", "a/b", "a/b/c/d", "a//1", "/b/1", "a/b/x", "a/b/-1", "a/b/1.5"])
def test_what_names_no_lap_is_refused(text):
    with pytest.raises(LapError, match="SESSION/VEHICLE/LAP"):
        LapName.parse(text)


def test_names():
    assert LapName.parse("s.1:x/GR86-022-13/7") == LapName("s.1:x", "GR86-022-13", 7)
    assert LapName.parse("s/13/best") == LapName("s", "13", None)


def test_errors_name_what_there_is(lake):
    car = race().cars[0].vehicle_id
    with pytest.raises(LapError, match=rf"no lap 99 in {SESSION}: laps are 1, 2, 3"):
        find_lap(lake, LapName(SESSION, car, 99))
    with pytest.raises(LapError, match=f"no laps of session 'nine': sessions are {SESSION}"):
        find_lap(lake, LapName("nine", car, 1))


def test_a_vehicle_without_a_lap_fit_for_pace(home):
    row = {"session_id": "s", "vehicle_id": "a", "vehicle_number": 3, "lap_time_ms": 99_000, "fit_for": ["wear"]}
    write_rows(home, "silver.laps", [row | {"lap_number": 1, "invalid_reasons": ["first_lap"]}])
    with pytest.raises(LapError, match=r"a \(3\) has no lap fit for pace in s: lap 1 first_lap"):
        find_lap(LakeReader(home), LapName("s", "a", None))
    write_rows(home, "silver.laps", [row | {"session_id": "t", "lap_number": 1}])
    with pytest.raises(LapError, match="name a session with --session: sessions are s, t"):
        choose_session(LakeReader(home), None)
    assert choose_session(LakeReader(home), "t") == "t"
