"""Ends of official laps in UTC: clocks that are put forward, days that pass, cells that are missing or wrong."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.timing.crossings import Crossing
from analysis.timing.entries import DAY_US, FEED_NEAR_US
from analysis.timing.laps import JudgedLap
from analysis.timing.session_laps import SessionTiming, build_session_laps, counter_crossings
from analysis.timing.sheet_clock import CarCrossings, SheetLap, join_sheet_times, place_sheets
from conf.laps import load_lap_rules

S = 1_000_000
HOUR = 3600 * S
START = 1_757_184_000 * S  # 18:40 UTC
ZONE = 5 * HOUR  # local time is that much behind


def lap_times(seed: int, n: int, usual_s: float = 98.0) -> np.ndarray[Any, Any]:
    return np.round(np.random.default_rng(seed).normal(usual_s, usual_s / 60, n) * 1000).astype(np.int64) * 1000


def ends_of(seed: int, n: int, usual_s: float = 98.0, start: int = START) -> np.ndarray[Any, Any]:
    return start + np.cumsum(lap_times(seed, n, usual_s))


def sheet(ends: Any, start: int = START, put_by: Any = 0) -> list[SheetLap]:
    """Lines of a sheet, with a local clock that is put forward by so much at each end."""
    took = np.diff([start, *ends])
    day = (ends - ZONE + put_by) % DAY_US
    return [SheetLap(i + 1, int(took[i]), int(ends[i] - START), int(day[i])) for i in range(len(ends))]


def crossings(ends: Any, start: int = START, late_us: int = 200_000) -> CarCrossings:
    return CarCrossings(np.array([start, *ends]) + late_us, list(range(len(ends) + 1)), FEED_NEAR_US)


def placed(sheets: dict[int, list[SheetLap]], feeds: dict[int, CarCrossings]) -> dict[int, list[int | None]]:
    return place_sheets(sheets, list(feeds.values()), feeds)


def test_an_empty_time_of_day_costs_nothing() -> None:
    ends = {n: ends_of(n, 8) for n in (7, 8)}
    sheets = {n: sheet(at) for n, at in ends.items()}
    sheets[7][3] = replace(sheets[7][3], day_us=None)
    found = placed(sheets, {n: crossings(at) for n, at in ends.items()})
    assert found == {n: (at + 200_000).tolist() for n, at in ends.items()}


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_is_missing_what_is_said_of_an_end_is_right(data: st.DataObject) -> None:
    ends = {n: ends_of(n, 10) for n in (7, 8)}
    sheets = {n: sheet(at) for n, at in ends.items()}
    for i in range(10):
        names = data.draw(st.lists(st.sampled_from(["lap_us", "elapsed_us", "day_us"]), unique=True, max_size=3))
        sheets[7][i] = replace(sheets[7][i], **dict.fromkeys(names))
    found = placed(sheets, {n: crossings(at) for n, at in ends.items()})
    if 7 not in found:  # neither a clock nor three ends that follow on each other
        assert not any(line.day_us for line in sheets[7])
        return
    for line, end, at in zip(sheets[7], found[7], ends[7].tolist(), strict=True):
        assert end in (None, at + 200_000)
        assert end is not None or line.day_us is None


@pytest.mark.parametrize("put_by", [HOUR, -HOUR, HOUR // 2])
@pytest.mark.parametrize("without", [(), ("elapsed_us",), ("lap_us",)])
def test_a_clock_that_is_put_forward_or_back_in_mid_race(put_by: int, without: tuple[str, ...]) -> None:
    ends = {n: ends_of(n, 20) for n in (7, 8, 9)}
    sheets = {n: sheet(at, put_by=np.where(at > START + 900 * S, put_by, 0)) for n, at in ends.items()}
    sheets = {n: [replace(line, **dict.fromkeys(without)) for line in lines] for n, lines in sheets.items()}
    found = placed(sheets, {n: crossings(at) for n, at in ends.items()})
    assert found == {n: (at + 200_000).tolist() for n, at in ends.items()}


def test_a_clock_that_is_put_back_of_a_sheet_with_nothing_but_a_clock() -> None:
    ends = {n: ends_of(n, 20) for n in (7, 8, 9)}
    sheets = {n: sheet(at, put_by=np.where(at > START + 900 * S, -HOUR, 0)) for n, at in ends.items()}
    sheets = {n: [replace(line, lap_us=None, elapsed_us=None) for line in lines] for n, lines in sheets.items()}
    found = placed(sheets, {n: crossings(at) for n, at in ends.items()})
    assert found == {n: (at + 200_000).tolist() for n, at in ends.items()}


def test_a_car_that_joins_once_the_clock_was_put_forward() -> None:
    late = START + 1500 * S
    ends = {7: ends_of(7, 30), 8: ends_of(8, 30), 9: ends_of(9, 8, start=late)}
    starts = {7: START, 8: START, 9: late}
    sheets = {n: sheet(at, starts[n], np.where(at > START + 1000 * S, HOUR, 0)) for n, at in ends.items()}
    found = placed(sheets, {n: crossings(at, starts[n]) for n, at in ends.items()})
    assert found == {n: (at + 200_000).tolist() for n, at in ends.items()}


@pytest.mark.parametrize("counted_on", [False, True])
@pytest.mark.parametrize("without", [(), ("elapsed_us",), ("elapsed_us", "lap_us")])
def test_a_race_of_thirty_hours(counted_on: bool, without: tuple[str, ...]) -> None:
    """Also of a car that drives in its last hours only."""
    late = START + 28 * HOUR
    ends = {7: ends_of(7, 290, 370.0), 8: ends_of(8, 280, 384.0), 9: ends_of(9, 15, 380.0, late)}
    starts = {7: START, 8: START, 9: late}
    sheets = {n: sheet(at, starts[n]) for n, at in ends.items()}
    if counted_on:
        midnight = (START - ZONE) // DAY_US * DAY_US
        days = {n: at - ZONE - midnight for n, at in ends.items()}
        sheets = {
            n: [replace(line, day_us=int(us)) for line, us in zip(lines, days[n], strict=True)]
            for n, lines in sheets.items()
        }
    sheets = {n: [replace(line, **dict.fromkeys(without)) for line in lines] for n, lines in sheets.items()}
    found = placed(sheets, {n: crossings(at, starts[n]) for n, at in ends.items()})
    assert found == {n: (at + 200_000).tolist() for n, at in ends.items()}


def test_a_wrong_time_of_day_is_overruled_by_what_agrees() -> None:
    ends = {n: ends_of(n, 12) for n in (7, 8)}
    sheets = {n: sheet(at) for n, at in ends.items()}
    sheets[7][0] = replace(sheets[7][0], day_us=sheets[7][0].day_us - 333 * S)  # type: ignore[operator]
    sheets[7][5] = replace(sheets[7][5], day_us=sheets[7][5].day_us + 37 * S)  # type: ignore[operator]
    sheets[8][4] = replace(sheets[8][4], elapsed_us=sheets[8][4].elapsed_us + 60 * S)  # type: ignore[operator]
    found = placed(sheets, {n: crossings(at) for n, at in ends.items()})
    assert found == {n: (at + 200_000).tolist() for n, at in ends.items()}


@pytest.mark.parametrize("numbers_off", [-2, 0, 1])
def test_a_sheet_without_a_clock_is_tied_by_the_cars_own_crossings(numbers_off: int) -> None:
    ends = ends_of(7, 9)
    lines = [replace(line, day_us=None) for line in sheet(ends)]
    car = crossings(ends)
    own = CarCrossings(car.time_us, [lap + numbers_off for lap in car.lap_ended], FEED_NEAR_US)
    assert place_sheets({7: lines}, [own], {7: own}) == {7: (ends + 200_000).tolist()}
    only_laps = [replace(line, elapsed_us=None) for line in lines]
    assert place_sheets({7: only_laps}, [own], {7: own}) == {7: (ends + 200_000).tolist()}


def test_a_sheet_of_another_car_is_not_tied() -> None:
    lines = [replace(line, day_us=None) for line in sheet(ends_of(7, 9, 98.0))]
    other = crossings(ends_of(8, 9, 104.0))
    assert place_sheets({7: lines}, [other], {7: other}) == {}


def test_lines_keep_their_order_and_what_is_known_in_utc_stays() -> None:
    ends = ends_of(7, 6)
    lines = [replace(line, end_us=int(at)) for line, at in zip(sheet(ends), ends, strict=True)]
    lines[2] = replace(lines[2], end_us=None)
    mixed = [lines[i] for i in (3, 0, 5, 2, 1, 4)]
    found = join_sheet_times(mixed)
    assert (found.kind, found.ends_us) == ("utc", tuple(int(ends[i]) for i in (3, 0, 5, 2, 1, 4)))
    assert join_sheet_times([]).ends_us == ()


def official_rows(ends: Any, *, with_clock: bool = True) -> list[Any]:
    return [
        SimpleNamespace(
            lap_number=line.number,
            lap_time_ms=line.lap_us // 1000,
            elapsed_ms=line.elapsed_us // 1000 if with_clock else None,
            time_of_day_ms=line.day_us // 1000 if with_clock else None,
            event_ts=None,
            **dict.fromkeys(("sector_1_ms", "sector_2_ms", "sector_3_ms", "flag", "in_pit", "pit_time_ms")),
            **dict.fromkeys(("top_speed_kmh", "avg_speed_kmh", "track_limits")),
        )
        for line in sheet(ends)
    ]


def counted_laps(ends: Any, every_us: int = 500_000) -> list[JudgedLap]:
    """Laps as a counter says that is seen twice a second."""
    edges = [int(-(-at // every_us) * every_us) for at in (START, *ends)]
    return [JudgedLap(i + 1, "telemetry", a, b, None) for i, (a, b) in enumerate(pairwise(edges))]


def test_a_sheet_and_telemetry_without_a_feed_are_tied_by_the_counter() -> None:
    ends = ends_of(7, 6, 61.0)
    timing = SessionTiming({}, {"car-7": None, "car-9": None}, {"7": official_rows(ends)})
    assert timing.needs_counters == {"car-7", "car-9"}
    found = build_session_laps(
        replace(timing, counted={"car-7": counter_crossings(counted_laps(ends))}), load_lap_rules()
    )
    assert [(e.vehicle_id, e.number, e.source) for e in found.entries] == [
        ("car-7", "7", "counter"),
        ("car-9", None, "reported"),
    ]
    laps = found.laps["car-7"]
    assert [lap.source for lap in laps] == ["official"] * 6
    assert max(abs((lap.end_us or 0) - at) for lap, at in zip(laps, ends.tolist(), strict=True)) < 500_000


def test_a_sheet_that_nothing_ties_leaves_a_car_the_laps_of_its_counter() -> None:
    other = ends_of(7, 6, 61.0) + 77 * S
    rows, counted = official_rows(ends_of(8, 6, 75.0), with_clock=False), counter_crossings(counted_laps(other))
    found = build_session_laps(
        SessionTiming({}, {"car-7": "7"}, {"7": rows}, counted={"car-7": counted}), load_lap_rules()
    )
    assert "car-7" not in found.laps
    # Tied by the field's feed, but of another time of the day.
    feed = [Crossing(int(at), n, None, 0) for n, at in enumerate(ends_of(9, 6, 70.0))]
    sheets = {"7": official_rows(ends_of(8, 6, 75.0)), "9": official_rows(ends_of(9, 6, 70.0))}
    for hours, source in ((0, ["official"] * 6), (3, [])):
        own = replace(counted, time_us=counted.time_us + hours * HOUR)
        timing = SessionTiming({"car-9": feed}, {"car-7": "7", "car-9": "9"}, sheets, counted={"car-7": own})
        laps = build_session_laps(timing, load_lap_rules()).laps
        assert [lap.source for lap in laps.get("car-7", ())] == source
        assert [lap.source for lap in laps["car-9"]] == ["official"] * 6
    alone = build_session_laps(SessionTiming({}, {}, {"7": rows}), load_lap_rules())
    assert [e.vehicle_id for e in alone.entries] == ["number-7"]
    assert [lap.lap_time_ms for lap in alone.laps["number-7"]] == [row.lap_time_ms for row in rows]
